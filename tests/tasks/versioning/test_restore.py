import hashlib
import json
import shutil

import pytest

from mixmatch.errors import ArtifactError, ConfigError, WorkspaceError
from tasks.versioning import restore, restore_files, version_files
from tasks.versioning.pointers import Pointer, write_pointer


def contents_of(folder):
    return {
        x.relative_to(folder).as_posix(): x.read_bytes() for x in folder.rglob("*") if x.is_file()
    }


EXPECTED = {"first.safetensors": b"one" * 1000, "deep/second.bin": b"two"}


@pytest.fixture
def pointer(site, stored, tmp_path):
    """A pointer that lies elsewhere, as one downloaded from MLflow does."""
    version = version_files(site, "family", stored)
    return shutil.copyfile(version.pointer, tmp_path / "downloaded.dvc")


def test_brings_the_exact_bytes_back_by_the_pointer_alone(site, pointer, tmp_path):
    shutil.rmtree(site.open_workspace().dvc)
    shutil.rmtree(site.store)

    restore_files(site, pointer, tmp_path / "restored")

    assert contents_of(tmp_path / "restored") == EXPECTED


def test_brings_back_an_earlier_version(site, pointer, tmp_path):
    other = tmp_path / "other"
    other.write_bytes(b"other")
    version_files(site, "family", {"other": other})

    restore_files(site, pointer, tmp_path / "restored")

    assert contents_of(tmp_path / "restored") == EXPECTED


def test_restored_files_are_ones_own(site, pointer, tmp_path):
    restore_files(site, pointer, tmp_path / "restored")

    restored = tmp_path / "restored" / "first.safetensors"
    assert restored.stat().st_nlink == 1
    assert restored.stat().st_mode & 0o200


def test_fills_an_empty_folder(site, pointer, tmp_path):
    (tmp_path / "restored").mkdir()

    restore_files(site, pointer, tmp_path / "restored")

    assert contents_of(tmp_path / "restored") == EXPECTED


def test_refuses_a_target_that_holds_something(site, pointer, tmp_path):
    with pytest.raises(WorkspaceError, match=r"target .* must be absent or an empty folder"):
        restore_files(site, pointer, tmp_path)


def test_a_lost_remote_is_an_error_that_leaves_nothing(site, pointer, tmp_path):
    shutil.rmtree(site.open_workspace().dvc_remote)

    with pytest.raises(ArtifactError, match=r"must hold every file of family .*some are missing"):
        restore_files(site, pointer, tmp_path / "out" / "restored")

    assert not (tmp_path / "out").exists()


def test_damage_in_the_remote_is_an_error(site, pointer, tmp_path):
    remote = site.open_workspace().dvc_remote
    (file,) = [x for x in remote.rglob("*") if x.is_file() and x.read_bytes() == b"two"]
    file.chmod(0o644)
    file.write_bytes(b"TWO")

    with pytest.raises(ArtifactError, match=r"a file in it is damaged"):
        restore_files(site, pointer, tmp_path / "restored")

    assert not (tmp_path / "restored").exists()


def listed(site, files):
    """Put a listing into the remote, with its right hash; return its place there, and the hash."""
    content = json.dumps([{"md5": md5, "relpath": name} for name, md5 in files.items()]).encode()
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    place = site.open_workspace().dvc_remote / "files" / "md5" / md5[:2] / f"{md5[2:]}.dir"
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(content)
    return place, f"{md5}.dir"


TWO = hashlib.md5(b"two", usedforsecurity=False).hexdigest()


@pytest.mark.parametrize("inside", ["../../../escaped", "deep/../../../../escaped", "{}/escaped"])
def test_a_listing_that_names_a_file_outside_is_refused(site, pointer, tmp_path, inside):
    inside = inside.format(tmp_path)
    _, md5 = listed(site, {"good": TWO, inside: TWO})
    wanted = write_pointer(tmp_path, Pointer("family", md5))

    with pytest.raises(ArtifactError, match=r"must name only files inside of it, .*escaped'\.$"):
        restore_files(site, wanted, tmp_path / "out" / "restored")

    assert not list(tmp_path.rglob("escaped"))
    assert not (tmp_path / "out").exists()


def test_a_listing_that_names_another_listing_is_refused(site, pointer, tmp_path):
    _, inner = listed(site, {"../../../../escaped": TWO})
    _, md5 = listed(site, {"deep": inner})
    wanted = write_pointer(tmp_path, Pointer("family", md5))

    with pytest.raises(ArtifactError, match=rf"32 hexadecimal digits, got '{inner}' for deep"):
        restore_files(site, wanted, tmp_path / "restored")

    assert not list(tmp_path.rglob("escaped"))


def test_a_listing_that_changes_after_the_look_at_it_is_not_followed(
    site, pointer, tmp_path, monkeypatch
):
    place, md5 = listed(site, {"good": TWO})
    wanted = write_pointer(tmp_path, Pointer("family", md5))
    pull = restore._pull

    def exchange_first(*arguments):
        place.write_bytes(place.read_bytes().replace(b"good", b"../../../escaped"))
        return pull(*arguments)

    monkeypatch.setattr(restore, "_pull", exchange_first)
    restore_files(site, wanted, tmp_path / "restored")

    assert contents_of(tmp_path / "restored") == {"good": b"two"}
    assert not list(tmp_path.rglob("escaped"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "outs: []",
        "outs: [{md5: 0123456789abcdef0123456789abcdef.dir}]",
        "outs: [{md5: 0123456789abcdef0123456789abcdef, path: family}]",
        "outs: [{md5: 0123456789abcdef0123456789abcdef.dir, path: ../family}]",
    ],
)
def test_refuses_a_file_that_is_no_pointer_to_a_folder(site, tmp_path, text):
    pointer = tmp_path / "wrong.dvc"
    pointer.write_text(text)

    with pytest.raises(ConfigError, match=r"^The pointer .*/wrong\.dvc must"):
        restore_files(site, pointer, tmp_path / "restored")


def test_refuses_a_pointer_that_is_not_there(site, tmp_path):
    with pytest.raises(ConfigError, match=r"absent.dvc must be a DVC file .*No such file"):
        restore_files(site, tmp_path / "absent.dvc", tmp_path / "restored")
