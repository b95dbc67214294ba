"""Where text goes: stdout for the reader, or stderr when a program reads stdout."""

import sys
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import Console

_WIDTH_OF_A_FILE = 120  # where there is no terminal to ask


def reader_console(*, as_json: bool) -> "Console":
    """Return the console for people: stdout, or stderr where stdout is for a program."""
    from rich.console import Console  # noqa: PLC0415  slow to load, and help does without

    stream = sys.stderr if as_json else sys.stdout
    width = None if stream.isatty() else _WIDTH_OF_A_FILE
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)


def print_json(record: "BaseModel") -> None:
    """Print ``record`` as one line on stdout."""
    typer.echo(record.model_dump_json())


def percent(fraction: float, digits: int = 2) -> str:
    """Write a fraction as percent, for people only."""
    return f"{100 * fraction:.{digits}f}"


def megabytes(size_bytes: int) -> str:
    """Write a size in units of 10^6 bytes."""
    return f"{size_bytes / 1e6:.2f}"


def printable(text: str) -> str:
    """Return what may stand in a file as it is shown: nothing in it moves a terminal's cursor."""
    return "".join(x if x.isprintable() else x.encode("unicode_escape").decode() for x in text)
