import pytest

from mixmatch.errors import WorkspaceError
from tasks.site import Site
from tasks.workspace import Workspace


@pytest.fixture
def workspace(tmp_path):
    return Workspace.open(tmp_path / "ws")


def test_the_store_lies_in_the_workspace_unless_a_run_file_says_where(workspace, tmp_path):
    assert Site.at(workspace).store == str(tmp_path / "ws" / "store")
    site = Site.at(workspace, str(tmp_path / "store"))
    assert (site.workspace, site.store) == (str(tmp_path / "ws"), str(tmp_path / "store"))
    assert site.open_store().root.is_dir()


def test_a_relative_store_becomes_absolute(workspace, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Site.at(workspace, "store").store == str(tmp_path / "store")


def test_a_store_that_is_a_file_is_refused(workspace, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match=r"^store must be a folder .* \(File exists\)\.$"):
        Site.at(workspace, str(tmp_path / "file"))
