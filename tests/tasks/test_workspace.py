from pathlib import Path

import pytest

from mixmatch.errors import WorkspaceError
from tasks.workspace import Workspace, make_writable


def test_a_workspace_is_made_where_it_is_asked_for(tmp_path):
    workspace = Workspace.open(tmp_path / "a" / "ws")
    assert workspace.root == tmp_path / "a" / "ws"
    assert not list(workspace.root.iterdir())


def test_the_environment_says_where_it_is_unless_the_caller_does(tmp_path, monkeypatch):
    monkeypatch.setenv("MIXMATCH_HOME", str(tmp_path / "home"))
    assert Workspace.open().root == tmp_path / "home"
    assert Workspace.open(tmp_path / "own").root == tmp_path / "own"


def test_without_a_word_it_lies_in_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MIXMATCH_HOME", raising=False)
    assert Workspace.open().root == tmp_path / ".mixmatch"


def test_everything_lies_below_the_root():
    workspace = Workspace(Path("/ws"))
    names = [name for name, value in vars(Workspace).items() if isinstance(value, property)]
    assert len(names) == 15
    assert all(Path("/ws") in getattr(workspace, name).parents for name in names)


def test_a_workspace_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match=r"file/ws must be .* \(Not a directory\); choose"):
        Workspace.open(tmp_path / "file" / "ws")


def test_the_check_for_writing_leaves_nothing(tmp_path):
    make_writable(tmp_path / "store")
    assert list(tmp_path.rglob("*")) == [tmp_path / "store"]
