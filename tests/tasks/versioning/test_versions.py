import hashlib
import json
import os
import shutil
import sys

import pytest

from mixmatch.digests import file_digest
from mixmatch.errors import ConfigError, ServiceError, WorkspaceError
from tasks.versioning import repository, version_files


def dvc_folder_hash(contents):
    """DVC's published form: the MD5 of a JSON list of each file's MD5, sorted by path."""
    entries = [
        {"md5": hashlib.md5(contents[path]).hexdigest(), "relpath": path}
        for path in sorted(contents)
    ]
    return hashlib.md5(json.dumps(entries).encode()).hexdigest() + ".dir"


def files_below(folder):
    return {x.relative_to(folder).as_posix(): x for x in folder.rglob("*") if x.is_file()}


def modification_times(folder):
    return {name: file.stat().st_mtime_ns for name, file in files_below(folder).items()}


def test_gives_the_hash_that_dvc_defines_for_a_folder(site, stored):
    version = version_files(site, "family", stored)

    contents = {"first.safetensors": b"one" * 1000, "deep/second.bin": b"two"}
    assert version.name == "family"
    assert version.md5 == dvc_folder_hash(contents)
    assert f"md5: {version.md5}" in version.pointer.read_text()


def test_puts_every_file_into_the_remote(site, stored):
    version = version_files(site, "family", stored)

    remote = site.open_workspace().dvc_remote / "files" / "md5"
    md5s = [hashlib.md5(file.read_bytes()).hexdigest() for file in stored.values()]
    for md5 in [*md5s, version.md5]:
        assert (remote / md5[:2] / md5[2:]).is_file()


def test_leaves_the_stores_files_as_they_are(site, stored):
    before = {file: (file_digest(file), file.stat()) for file in stored.values()}

    version_files(site, "family", stored)

    for file, (digest, stat) in before.items():
        after = file.stat()
        assert (file.name, file_digest(file)) == (digest, digest)
        assert (after.st_ino, after.st_nlink) == (stat.st_ino, 1)
        assert (after.st_mode, after.st_mtime_ns) == (stat.st_mode, stat.st_mtime_ns)


def test_damage_to_the_dvc_folder_never_reaches_the_store(site, stored):
    version_files(site, "family", stored)
    damaged = site.open_workspace().dvc / "family" / "first.safetensors"

    damaged.chmod(0o644)
    damaged.write_bytes(b"damaged")

    assert all(file_digest(file) == file.name for file in stored.values())


def test_the_same_content_again_gives_the_same_version_and_writes_nothing(site, stored):
    first = version_files(site, "family", stored)
    workspace = site.open_workspace()
    places = [workspace.dvc / "family", workspace.dvc_remote, workspace.dvc / "pointers"]
    before = [modification_times(place) for place in places]

    second = version_files(site, "family", stored)

    assert second == first
    assert [modification_times(place) for place in places] == before


def test_keeps_the_pointer_of_an_earlier_version(site, stored, tmp_path):
    first = version_files(site, "family", stored)
    other = tmp_path / "other"
    other.write_bytes(b"other")

    second = version_files(site, "family", {"other": other})

    assert first.pointer != second.pointer
    assert first.md5 in first.pointer.read_text()
    assert second.md5 in second.pointer.read_text()
    assert files_below(site.open_workspace().dvc / "family").keys() == {"other"}


def test_returns_to_an_earlier_version(site, stored, tmp_path):
    first = version_files(site, "family", stored)
    other = tmp_path / "other"
    other.write_bytes(b"other")
    version_files(site, "family", {"other": other})

    assert version_files(site, "family", stored) == first
    assert files_below(site.open_workspace().dvc / "family").keys() == stored.keys()


@pytest.mark.parametrize("lost", ["dvc/family", "dvc/.dvc/cache", "dvc-remote"])
def test_puts_back_what_was_lost(site, stored, lost):
    first = version_files(site, "family", stored)
    workspace = site.open_workspace()
    shutil.rmtree(workspace.root / lost)

    assert version_files(site, "family", stored) == first
    assert (workspace.root / lost).is_dir()
    assert len(files_below(workspace.dvc_remote)) == 3


def test_overwrites_a_folder_that_somebody_changed(site, stored):
    first = version_files(site, "family", stored)
    changed = site.open_workspace().dvc / "family" / "deep" / "second.bin"
    changed.unlink()
    changed.write_bytes(b"changed")

    assert version_files(site, "family", stored) == first
    assert changed.read_bytes() == b"two"


def test_keeps_folders_apart(site, stored, tmp_path):
    family = version_files(site, "family", stored)
    data = version_files(site, "data", {"first.safetensors": stored["first.safetensors"]})

    assert data.md5 != family.md5
    assert files_below(site.open_workspace().dvc / "family").keys() == stored.keys()


def test_pushes_to_the_remote_that_a_person_configured(site, stored, tmp_path):
    other = {"deep/second.bin": stored["deep/second.bin"]}
    version_files(site, "family", other)
    config = site.open_workspace().dvc / ".dvc" / "config"
    default = str(site.open_workspace().dvc_remote)
    config.write_text(config.read_text().replace(default, str(tmp_path / "mine")))

    version_files(site, "family", stored)

    assert len(files_below(tmp_path / "mine")) == 3


def test_draws_nothing_on_a_terminal(site, stored, monkeypatch):
    terminal, screen = os.openpty()
    os.set_blocking(terminal, False)
    with os.fdopen(screen, "w") as file:
        monkeypatch.setattr(sys, "stdout", file)
        monkeypatch.setattr(sys, "stderr", file)
        version_files(site, "family", stored)

        with pytest.raises(BlockingIOError):  # there is nothing to read
            os.read(terminal, 1)
    os.close(terminal)


def test_calls_nobody(site, stored):
    version_files(site, "family", stored)

    config = (site.open_workspace().dvc / ".dvc" / "config").read_text()
    assert "analytics = False" in config
    assert "check_update = False" in config


def test_tries_again_while_another_dvc_process_holds_the_repository(monkeypatch):
    from dvc.lock import LockError

    monkeypatch.setattr(repository, "_BUSY_PAUSE_S", 0.0)
    outcomes = [LockError("busy"), LockError("busy"), "done"]

    def work():
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    assert repository.patiently(work) == "done"


def test_says_so_when_dvc_stays_busy(site, stored, monkeypatch):
    import zc.lockfile

    monkeypatch.setattr(repository, "_BUSY_TRIES", 1)
    version_files(site, "family", stored)
    held = zc.lockfile.LockFile(str(site.open_workspace().dvc / ".dvc" / "tmp" / "lock"))
    try:
        with pytest.raises(ServiceError, match=r"DVC failed in .*/dvc: Unable to acquire lock"):
            version_files(site, "family", stored)
    finally:
        held.close()


def test_says_so_when_another_run_holds_the_repository(site, stored, monkeypatch):
    from filelock import FileLock

    monkeypatch.setattr(repository, "_LOCK_TIMEOUT_S", 0.0)
    locks = site.open_workspace().locks
    locks.mkdir()

    with (
        FileLock(locks / "dvc.lock"),
        pytest.raises(ServiceError, match=r"must become free within 0 s; another run"),
    ):
        version_files(site, "family", stored)


def test_says_which_file_is_missing(site, tmp_path):
    with pytest.raises(WorkspaceError, match=r"must be readable and writable: .*'.*/absent'\.$"):
        version_files(site, "family", {"absent": tmp_path / "absent"})


@pytest.mark.parametrize("name", ["", "pointers", ".dvc", "a/b", "../a", "a b", "-a"])
def test_refuses_a_folder_name_that_is_not_plain(site, stored, name):
    with pytest.raises(ConfigError, match=r"The name of a DVC folder must begin with a letter"):
        version_files(site, name, stored)


@pytest.mark.parametrize("inside", ["", ".", "/a", "../a", "a/../b", "a//b", "a/", "./a"])
def test_refuses_a_path_that_leaves_the_folder_or_is_not_plain(site, stored, inside):
    file = stored["deep/second.bin"]
    with pytest.raises(ConfigError, match=r"inside the DVC folder family must be relative"):
        version_files(site, "family", {inside: file})


def test_refuses_an_empty_folder(site):
    with pytest.raises(ConfigError, match=r"family must hold at least one file, got none"):
        version_files(site, "family", {})
