import platform
import subprocess
from importlib.metadata import version

import pytest

from tasks.lineage import builder as module
from tasks.lineage.builder import commit_exists, describe_builder


def git(folder, *arguments):
    identity = ("-c", "user.name=ada", "-c", "user.email=ada@example.org")
    command = ["git", "-C", str(folder), *identity, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A repository of this project with one commit, in the place of the real one."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "mixmatch"\n')
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    return tmp_path


def described():
    return describe_builder.__wrapped__()


def test_the_commit_is_named_and_whether_anything_was_changed_since(root):
    assert (described().commit, described().clean) == (git(root, "rev-parse", "HEAD"), True)
    (root / "new.py").write_text("")
    assert described().clean is False


def test_versions_are_those_that_are_installed(root):
    found = described()
    assert found.version == version("mixmatch")
    assert found.packages["torch"] == version("torch")
    assert found.python == platform.python_version()


def test_the_lock_is_digested_where_there_is_one(root):
    assert described().lock_digest is None
    (root / "requirements.lock").write_bytes(b"")
    assert described().lock_digest == (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )


def test_only_a_commit_of_this_repository_exists(root):
    assert commit_exists(git(root, "rev-parse", "HEAD")) is True
    assert commit_exists("0" * 40) is False
    assert commit_exists(git(root, "rev-parse", "HEAD^{tree}")) is False


@pytest.mark.parametrize("project", ['[project]\nname = "other"\n', "[tool.x]\n"])
def test_a_repository_of_another_project_says_nothing(root, project):
    commit = git(root, "rev-parse", "HEAD")
    (root / "pyproject.toml").write_text(project)
    assert (described().commit, described().clean, commit_exists(commit)) == (None, None, None)


def test_a_folder_inside_of_another_repository_says_nothing(root, monkeypatch):
    below = root / "below"
    below.mkdir()
    (below / "pyproject.toml").write_text('[project]\nname = "mixmatch"\n')
    monkeypatch.setattr(module, "ROOT", below)
    assert described().commit is None
