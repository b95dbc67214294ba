"""Progress as plain lines, for logs, pipes and continuous integration."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from flows.cli.stage import Stage, clock

_POLL_S = 1.0


class PlainDisplay:
    """Prints a line when a stage begins, when it ends, and when a member is done."""

    def __init__(self, stream: TextIO) -> None:
        """Prepare to print on ``stream``."""
        self._stream = stream
        self._stage: Stage | None = None
        self._told: set[str] = set()
        self._lock = threading.Lock()
        self._ended = threading.Event()

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Print until the block ends."""
        poller = threading.Thread(target=self._poll, name="progress", daemon=True)
        poller.start()
        try:
            yield
        except BaseException:
            self._close("failed after")
            raise
        else:
            self._close("done in")
        finally:
            self._ended.set()
            poller.join()

    def on_stage(self, name: str, detail: str) -> None:
        """Say that the stage before is done and this one begins."""
        self._close("done in")
        with self._lock:
            self._stage = Stage(name, detail, time.monotonic())
            self._print(f"{self._stage.headline} ...")

    def on_members(self, folder: Path, labels: Sequence[str]) -> None:
        """Say how many members run, and from now on when each is done."""
        with self._lock:
            self._told.clear()
            if self._stage is not None:
                self._stage = self._stage.with_members(folder, labels)
                self._print(f"  to compute: {len(labels)}")

    def _close(self, how: str) -> None:
        with self._lock:
            self._tell_members()
            if self._stage is not None:
                self._print(f"{self._stage.name} {how} {clock(self._stage.elapsed_s)}")
            self._stage = None

    def _poll(self) -> None:
        while not self._ended.wait(_POLL_S):
            with self._lock:
                self._tell_members()

    def _tell_members(self) -> None:
        """Name the members that are newly done; the caller holds the lock."""
        if self._stage is None:
            return
        members = self._stage.members()
        for member in members:
            if member.finished and member.label not in self._told:
                self._told.add(member.label)
                count = f"{len(self._told)} of {len(self._stage.labels)}"
                left = self._stage.remaining_s(self._stage.done(members))
                rest = f", at most {clock(left)} left" if left else ""
                self._print(f"  {member.label} done ({count}{rest})")

    def _print(self, line: str) -> None:
        self._stream.write(f"{line}\n")
        self._stream.flush()
