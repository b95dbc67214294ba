import re
import stat
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from flows.cli.failures import ReportingCommand
from mixmatch.errors import FamilyError, RegistryError, ServiceError


@pytest.fixture
def failing(tmp_path):
    """Run a command that fails with the given exception."""

    def run(error, workspace=tmp_path / "ws"):
        app = typer.Typer(pretty_exceptions_enable=False)

        @app.command(cls=ReportingCommand)
        def fail(workspace: Path | None = None) -> None:
            raise error

        return CliRunner().invoke(app, ["--workspace", str(workspace)])

    return run


@pytest.mark.parametrize(
    ("error", "exit_code"),
    [
        (RegistryError("There must be a model x."), 2),
        (ServiceError("The server must answer."), 1),
        (FamilyError("2 members failed."), 1),
    ],
)
def test_a_failure_on_purpose_is_its_sentence_and_its_exit_code(failing, error, exit_code):
    result = failing(error)
    assert (result.exit_code, result.stderr, result.stdout) == (exit_code, f"{error}\n", "")


def test_an_unforeseen_failure_leaves_its_traceback_in_the_workspace(failing, tmp_path):
    result = failing(ZeroDivisionError("division\nby zero"))
    (log,) = (tmp_path / "ws" / "logs").iterdir()
    assert result.exit_code == 1
    assert result.stderr == (
        "An unexpected error ended the command (ZeroDivisionError: division by zero); "
        f"its traceback is in {log}\n"
    )
    assert re.search(r"Traceback .*ZeroDivisionError: division", log.read_text(), re.DOTALL)


def test_an_unforeseen_failure_shows_no_credentials(failing, tmp_path):
    result = failing(ValueError("No answer of http://me:hunter2@host/x."))
    (log,) = (tmp_path / "ws" / "logs").iterdir()
    assert "No answer of http://***@host/x." in result.stderr
    assert "No answer of http://***@host/x." in log.read_text()
    assert "hunter2" not in result.stderr + log.read_text()


def test_without_a_workspace_the_traceback_goes_to_the_temporary_folder(
    failing, tmp_path, monkeypatch
):
    monkeypatch.setattr(sys.modules["tempfile"], "tempdir", str(tmp_path))
    (tmp_path / "file").write_text("")
    result = failing(ZeroDivisionError("by zero"), tmp_path / "file" / "ws")
    (log,) = tmp_path.glob("mixmatch-error-*.log")
    assert "ZeroDivisionError" in log.read_text()
    assert result.stderr.endswith(f"its traceback is in {log}\n")


def test_a_traceback_in_the_temporary_folder_is_a_new_file_that_only_its_user_can_read(
    failing, tmp_path, monkeypatch
):
    monkeypatch.setattr(sys.modules["tempfile"], "tempdir", str(tmp_path))
    (tmp_path / "file").write_text("")
    for _ in range(2):
        failing(ZeroDivisionError("by zero"), tmp_path / "file" / "ws")
    first, second = tmp_path.glob("mixmatch-error-*.log")
    assert [stat.S_IMODE(log.stat().st_mode) for log in (first, second)] == [0o600, 0o600]


def test_an_interrupt_says_how_to_go_on(failing):
    result = failing(KeyboardInterrupt())
    sentence = "Interrupted; what is finished is kept, the same command goes on from there.\n"
    assert (result.exit_code, result.stderr) == (130, sentence)


def test_a_chosen_exit_code_stays(failing):
    assert failing(typer.Exit(7)).exit_code == 7


def test_what_would_move_the_terminals_cursor_is_shown_and_not_sent(failing):
    result = failing(RegistryError("It must be bytes, got \x1b[2J\x1b]0;owned\x07.\nSee below."))
    assert result.stderr == r"It must be bytes, got \x1b[2J\x1b]0;owned\x07." + "\nSee below.\n"
