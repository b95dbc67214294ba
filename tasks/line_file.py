"""A text file that only grows, line by line, and that a killed writer cannot spoil."""

import errno
import fcntl
import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from mixmatch.errors import WorkspaceError

_LOG = logging.getLogger(__name__)

Refuse = Callable[[Sequence[bytes]], bool]


@dataclass(frozen=True, slots=True)
class LineFile:
    """JSON lines on disk; several processes may append at once, on one host.

    Attributes:
        path: the file; created by the first append.
    """

    path: Path

    def read(self) -> list[bytes]:
        """Return the lines in order, without line ends; none if there is no file.

        A torn last line, left by a writer that was killed, is left out with a warning.

        Raises:
            WorkspaceError: the file cannot be read.
        """
        if not self.path.exists():
            return []
        with self._opened("r", fcntl.LOCK_SH) as file:
            whole, torn = _split(file.readall())
        if torn:
            _LOG.warning("%s ends in a torn line of %d bytes: ignored.", self.path, len(torn))
        return whole.splitlines()

    def append(self, line: str, *, unless: Refuse = lambda lines: False) -> bool:
        """Add one line, forced to disk before this returns; say whether it was added.

        A torn last line is cut off first, with a warning.

        Args:
            line: JSON on one line, without its end.
            unless: is asked under the lock, with the lines so far; True adds nothing.

        Raises:
            WorkspaceError: the file cannot be written.
        """
        with self._opened("a+", fcntl.LOCK_EX) as file:
            file.seek(0)
            whole, torn = _split(file.readall())
            if unless(whole.splitlines()):
                return False
            if torn:
                _LOG.warning("%s ends in a torn line of %d bytes: cut off.", self.path, len(torn))
                file.truncate(len(whole))
            begin = "\n" if whole and not whole.endswith(b"\n") else ""
            content = f"{begin}{line}\n".encode()
            # Unbuffered: one write call, so that a reader without the lock sees all of it or none.
            if file.write(content) != len(content):
                raise WorkspaceError(f"{self.path} took only a part of a line: the disk is full.")
            os.fsync(file.fileno())
        return True

    @contextmanager
    def _opened(self, mode: str, lock: int) -> Iterator[FileIO]:
        """Open the file unbuffered, and hold ``lock`` on it for the body."""
        try:
            with FileIO(self.path, mode) as file:
                fcntl.flock(file, lock)
                yield file
        except OSError as error:
            if isinstance(error, WorkspaceError):
                raise
            reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror
            raise WorkspaceError(
                f"{self.path} must be a file that can be read and written ({reason})."
            ) from error


def _split(content: bytes) -> tuple[bytes, bytes]:
    """Part what is whole from a torn last line; only its end is missing where it is JSON."""
    end = content.rfind(b"\n") + 1
    tail = content[end:]
    if not tail or _is_json(tail):
        return content, b""
    return content[:end], tail


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True
