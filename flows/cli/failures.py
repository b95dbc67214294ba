"""How a command fails: one sentence on stderr and an exit code, never a traceback."""

import datetime
import os
import tempfile
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from typer.core import TyperCommand

from flows.cli.output import printable
from mixmatch.addresses import masked
from mixmatch.errors import InputError, MixMatchError, WorkspaceError
from tasks.workspace import Workspace

if TYPE_CHECKING:
    from typer._click import Context

DONE, FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130


class ReportingCommand(TyperCommand):
    """A command whose failures become a sentence and an exit code.

    Wrong input gives 2, work that failed 1, an interrupt 130. What nobody foresaw gives 1, and its
    traceback a log file in the workspace.
    """

    def invoke(self, ctx: "Context") -> object:
        """Run the command; see the class for how it ends."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except MixMatchError as error:
            _say(str(error))
            raise typer.Exit(WRONG_INPUT if isinstance(error, InputError) else FAILED) from error
        except KeyboardInterrupt as error:
            _say("Interrupted; what is finished is kept, the same command goes on from there.")
            raise typer.Exit(INTERRUPTED) from error
        except Exception as error:
            log = _write_log(error, ctx.params.get("workspace"))
            what = masked(" ".join(f"{type(error).__name__}: {error}".split()))
            _say(f"An unexpected error ended the command ({what[:200]}); its traceback is in {log}")
            raise typer.Exit(FAILED) from error


def _say(sentence: str) -> None:
    # Lines are ours; what else is not printable came from a file or a server.
    lines = "\n".join(printable(line) for line in sentence.split("\n"))
    typer.secho(lines, fg="red", err=True)


def _write_log(error: Exception, workspace: Path | None) -> Path:
    """Write the traceback into the workspace, or where that cannot be, into the system's folder."""
    now = datetime.datetime.now(datetime.UTC)
    name = f"error-{now:%Y%m%d-%H%M%S}-{os.getpid()}.log"
    text = masked("".join(traceback.format_exception(error)))
    try:
        folder = Workspace.open(workspace).logs
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    except (WorkspaceError, OSError):
        return _write_temporary(text)
    return folder / name


def _write_temporary(text: str) -> Path:
    """Write into a new file of the system's folder that only this user can read.

    Everybody may write there: under a name that can be guessed, somebody could have put a link to
    a file of this user's.
    """
    handle, name = tempfile.mkstemp(prefix="mixmatch-error-", suffix=".log")
    with os.fdopen(handle, "w") as file:
        file.write(text)
    return Path(name)
