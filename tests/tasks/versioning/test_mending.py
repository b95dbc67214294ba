"""What a killed writer leaves in a DVC repository is mended; what lives is left alone."""

import json
import os
import time

import pytest

from tasks.site import Site
from tasks.versioning import version_files
from tasks.versioning.mending import mend
from tasks.workspace import Workspace

POINTER = "outs:\n- md5: 0123.dir\n  hash: md5\n  path: data\n"


@pytest.fixture
def entries(tmp_path):
    """Return a writer of DVC's list of who reads and writes."""
    file = tmp_path / ".dvc" / "tmp" / "rwlock"
    file.parent.mkdir(parents=True)

    def write(text, age_s=0.0):
        file.write_text(text)
        os.utime(file, (time.time() - age_s,) * 2)
        return file

    return write


def list_naming(pid):
    info = {"pid": pid, "cmd": "dvc add"}
    return json.dumps({"write": {"/data": info}, "read": {"/other": [info]}})


@pytest.mark.parametrize("text", ["", '{"write"', "{}", list_naming(2**22 + 1)])
def test_a_list_in_which_nobody_lives_is_removed(tmp_path, entries, text):
    file = entries(text)
    mend(tmp_path)
    assert not file.exists()


def test_a_process_that_lives_keeps_its_entry(tmp_path, entries):
    file = entries(list_naming(os.getpid()))
    mend(tmp_path)
    assert file.exists()


def test_a_number_that_was_given_again_does_not_count(tmp_path, entries):
    file = entries(list_naming(os.getpid()), age_s=1e6)
    mend(tmp_path)
    assert not file.exists()


@pytest.mark.parametrize("text", ["", "outs:\n- md5: 0123.dir\n", "outs: [", "7"])
def test_a_torn_pointer_is_removed(tmp_path, text):
    (tmp_path / "data.dvc").write_text(text)
    mend(tmp_path)
    assert not (tmp_path / "data.dvc").exists()


def test_a_whole_pointer_stays(tmp_path):
    (tmp_path / "data.dvc").write_text(POINTER)
    mend(tmp_path)
    assert (tmp_path / "data.dvc").read_text() == POINTER


def test_a_folder_is_versioned_once_although_its_writer_was_killed(tmp_path):
    site = Site.at(Workspace.open(tmp_path / "workspace"))
    (tmp_path / "file").write_text("content")
    first = version_files(site, "data", {"file": tmp_path / "file"})
    repository = site.open_workspace().dvc
    (repository / "data.dvc").write_text("")
    (repository / ".dvc" / "tmp" / "rwlock").write_text("")
    assert version_files(site, "data", {"file": tmp_path / "file"}) == first
    assert len(list((repository / "pointers").rglob("*.dvc"))) == 1
