"""All commands. To add one: a function in a module here, and a line in ``_COMMANDS``.

Modules here import nothing heavy at their top: ``mixmatch --help`` answers at once.
"""

import gc
import signal
from collections.abc import Callable
from types import FrameType
from typing import Annotated

import typer

from flows.cli import (
    audit,
    collect,
    doctor,
    files,
    pages,
    promotion,
    reap,
    registry,
    runs,
    schedules,
    steps,
    study,
)
from flows.cli.failures import ReportingCommand
from tasks.quiet import apply_offline_environment

_HELP = """Compress a trained vision network into a family of sparse ones.

Begin with: mixmatch demo

Exit code 0: done, 1: failed in its work, 2: wrong input.
"""

_OBJECTS_PER_COLLECTION = 100_000

app = typer.Typer(
    help=_HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich help costs a quarter of a second
)

_COMMANDS: dict[str, Callable[..., None]] = {
    "demo": runs.demo,
    "run": runs.run,
    "study": study.study,
    "studies": study.studies,
    "plan": steps.plan,
    "fetch": steps.fetch,
    "base": steps.base,
    "list": registry.list_,
    "show": registry.show,
    "export": files.export,
    "inspect": files.inspect,
    "promote": promotion.promote,
    "approve": promotion.approve,
    "rollback": promotion.rollback,
    "audit": audit.audit,
    "restore": audit.restore,
    "gc": collect.gc,
    "schedule": schedules.schedule,
    "serve": schedules.serve,
    "ui": pages.ui,
    "doctor": doctor.doctor,
    "reap": reap.reap,
}

for _name, _function in _COMMANDS.items():
    app.command(_name, cls=ReportingCommand)(_function)


def main() -> None:
    """Run the command line and end the process with its exit code."""
    apply_offline_environment()
    # Loading torch and MLflow makes millions of objects that stay: with Python's own threshold of
    # 700 they are looked at again and again, for a third of the time of a short command.
    gc.set_threshold(_OBJECTS_PER_COLLECTION)
    signal.signal(signal.SIGTERM, _end)
    try:
        app(prog_name="mixmatch")
    finally:
        # Python's last collections would look at millions of objects of torch and MLflow for
        # seconds, only to free what the end of the process frees.
        gc.disable()
        gc.freeze()


def _end(number: int, frame: FrameType | None) -> None:
    """Leave as after Ctrl-C, so that servers and workers are ended and nothing is half-written."""
    del frame
    raise SystemExit(128 + number)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415  only this option reads it

        typer.echo(f"mixmatch {version('mixmatch')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    del version  # its callback has answered
