"""Leases: files by which processes say that they work on a workspace, refreshed while they live.

What a process leaves behind when it is killed is known by its lease: the owner in it is dead.
"""

import contextlib
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from filelock import FileLock
from pydantic import ValidationError

from mixmatch.records import Record
from tasks.owners import BEAT_S, Owner
from tasks.workspace import Workspace

_log = logging.getLogger(__name__)


class _Written(Record):
    """A lease as its file says it.

    Attributes:
        owner: who holds it.
        begun: seconds since 1970, by the clock of its machine.
        children: servers that must end with it.
    """

    owner: Owner
    begun: float
    children: tuple[Owner, ...] = ()


@dataclass(frozen=True, slots=True)
class FoundLease:
    """A lease that lies in a workspace.

    Attributes:
        file: where.
        owner: who holds it.
        begun: when it was taken, seconds since 1970.
        children: servers that must end with it.
        is_alive: whether its owner lives.
    """

    file: Path
    owner: Owner
    begun: float
    children: tuple[Owner, ...]
    is_alive: bool


class Lease:
    """A lease of this process; ``held`` opens it."""

    def __init__(self, workspace: Workspace) -> None:
        """Write the file."""
        self.owner = Owner.here()
        self.begun = time.time()
        self.file = workspace.leases / f"{self.owner.pid}-{uuid4().hex[:8]}.json"
        self._children: tuple[Owner, ...] = ()
        self._ended, self._lock = threading.Event(), threading.Lock()
        self._write()
        self.on_beat(self._freshen)

    def adopt(self, pid: int) -> None:
        """Say that the server ``pid``, which leads a group of its own, must end with this one."""
        child = Owner.of(pid)
        if child is not None:
            self._children = (*self._children, child)
            self._write()

    def on_beat(self, beat: Callable[[], None]) -> None:
        """Call ``beat`` with every heartbeat, in a thread of its own; failures are only logged.

        One that has to wait, as for a server that is away, holds up no other.
        """

        def keep_beating() -> None:
            while not self._ended.wait(BEAT_S):
                try:
                    beat()
                except Exception as error:  # whoever judges by heartbeat waits for nine of them
                    _log.warning("A heartbeat failed: %s: %s", type(error).__name__, error)

        threading.Thread(target=keep_beating, name="heartbeat", daemon=True).start()

    def end(self) -> None:
        """Give the lease back."""
        with self._lock:
            self._ended.set()
            self.file.unlink(missing_ok=True)

    def _freshen(self) -> None:
        """Give a sign of life in the file, which somebody who thought us dead may have removed."""
        with self._lock:
            if self._ended.is_set():
                return
            if self.file.exists():
                os.utime(self.file)
            else:
                self._write()

    def _write(self) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        written = _Written(owner=self.owner, begun=self.begun, children=self._children)
        fresh = self.file.with_suffix(".new")
        fresh.write_text(written.model_dump_json())
        os.replace(fresh, self.file)


@contextmanager
def held(workspace: Workspace) -> Iterator[Lease]:
    """Hold a lease on ``workspace`` inside the block; a thread keeps it fresh."""
    with collecting(workspace):  # what is about to be removed must not be found by a run
        lease = Lease(workspace)
    try:
        yield lease
    finally:
        lease.end()


@contextmanager
def collecting(workspace: Workspace) -> Iterator[None]:
    """Let nobody take a lease on ``workspace`` inside the block: they wait until it ends."""
    workspace.locks.mkdir(parents=True, exist_ok=True)
    with FileLock(workspace.locks / "collecting.lock"):
        yield


def found_leases(workspace: Workspace) -> tuple[FoundLease, ...]:
    """Return all leases in ``workspace``, of living and of dead owners."""
    now = _now_of(workspace.leases)
    found = []
    for file in sorted(workspace.leases.glob("*.json")):
        # It may vanish between listing and reading, when its owner is done.
        with contextlib.suppress(FileNotFoundError):
            beat_age_s = now - file.stat().st_mtime
            try:
                said = _Written.model_validate_json(file.read_text())
            except (ValidationError, json.JSONDecodeError):
                _log.warning("%s is no lease and is left alone.", file)
                continue
            is_alive = said.owner.is_alive(beat_age_s)
            found.append(FoundLease(file, said.owner, said.begun, said.children, is_alive))
    return tuple(found)


def _now_of(folder: Path) -> float:
    """Return the time by the clock that stamps the files of ``folder``, perhaps a server's."""
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / f".now-{uuid4().hex}"  # processes in containers have equal numbers
    probe.touch()
    now = probe.stat().st_mtime
    probe.unlink()
    return now
