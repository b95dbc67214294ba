"""Whole files of a results folder: written under another name first, so that none is ever torn."""

import os
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from mixmatch.errors import WorkspaceError

_LOCK = ".lock"


def write_text(path: Path, text: str) -> None:
    """Write or replace a text file in UTF-8.

    Raises:
        WorkspaceError: it cannot be written.
    """
    write_whole(path, lambda place: _write_utf8(place, text))


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` make a file under another name, and put it to its place at once.

    Args:
        path: its place, in a folder that exists; what is there is replaced.
        write: is told where to write.

    Raises:
        WorkspaceError: it cannot be written.
    """
    draft = path.with_name(f".{os.getpid()}-{path.name}")  # keeps the ending, which says the format
    try:
        write(draft)
        with draft.open("rb") as opened:
            os.fsync(opened.fileno())
        os.replace(draft, path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise WorkspaceError(
            f"{path} must be a file that can be written ({error.strerror})."
        ) from error


def write_once(path: Path, text: str) -> bool:
    """Write a text file unless it is there; say whether it was written. The first writer wins.

    Raises:
        WorkspaceError: it cannot be written.
    """
    try:
        lock = FileLock(path.with_name(_LOCK)).acquire()
    except OSError as error:
        raise WorkspaceError(
            f"{path.parent} must be a folder that can be written ({error.strerror})."
        ) from error
    with lock:
        if path.exists():
            return False
        write_text(path, text)
        return True


def _write_utf8(place: Path, text: str) -> None:
    place.write_text(text, encoding="utf-8")
