"""What outlives an interrupted training: one file per job, until the job's record is committed.

Tensors and JSON in one safetensors file, with a checksum. Whatever is not exactly what this job's
training wrote is put aside, and the training begins anew.
"""

import contextlib
import json
import logging
import os
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mixmatch.snapshots import Snapshot, Snapshots
from tasks.jobs import Job
from tasks.pace import Pace
from tasks.shelf import Shelf
from tasks.site import Site

_log = logging.getLogger(__name__)

_FORMAT = 1
_HEADER = "mixmatch"
_BYTES_PER_S = 4e8  # of a state that is taken and written, until one has been timed


@dataclass(frozen=True, slots=True)
class Effort:
    """What a job has cost.

    Attributes:
        seconds: on the wall.
        cpu_seconds: on all processors of its process.
    """

    seconds: float = 0.0
    cpu_seconds: float = 0.0


@dataclass(slots=True)
class Clock:
    """Measures a job from its start, and adds what was spent on it before it was interrupted."""

    wall_s: float
    cpu_s: float
    before: Effort

    @classmethod
    def start(cls) -> "Clock":
        """Begin now."""
        return cls(time.monotonic(), time.process_time(), Effort())

    def effort(self) -> Effort:
        """Return all that the job has cost so far."""
        return Effort(
            self.before.seconds + time.monotonic() - self.wall_s,
            self.before.cpu_seconds + time.process_time() - self.cpu_s,
        )


@dataclass(frozen=True, slots=True)
class Interruption:
    """The file of one job's training, which any worker of the workspace finds.

    Attributes:
        file: where it lies; it appears complete or not at all.
        key: of the job; another job's file is never taken for this one's.
        clock: of the job.
        shelf: for its copy where workers on other machines find it; None: there are none.
    """

    file: Path
    key: str
    clock: Clock
    shelf: Shelf | None = None

    @classmethod
    def of(cls, site: Site, job: Job, clock: Clock) -> "Interruption":
        """Return the file of ``job``; writes nothing."""
        file = site.open_workspace().training_file(job.key)
        return cls(file, job.key, clock, Shelf.of(site, job.step, job.key))

    def end(self) -> None:
        """Remove the file and its copy: the job's record is committed."""
        if self.file.exists():  # else nothing was kept, here or elsewhere
            if self.shelf is not None:
                self.shelf.forget()
            self.file.unlink(missing_ok=True)

    def snapshots(
        self,
        *generators: torch.Generator,
        facts: Callable[[], Mapping[str, object]],
        on_resume: Callable[[Snapshot], None],
    ) -> Snapshots:
        """Return how the training keeps its state in this file.

        Args:
            generators: that its batches draw from.
            facts: called for a state that is kept: what the caller wants to find again, plain
                JSON.
            on_resume: called with what the training goes on from, if it does.
        """

        def resume(found: Snapshot) -> None:
            self.clock.before = Effort(**found.facts["effort"])
            on_resume(found)

        pace = Pace()

        def offer(num_bytes: int, take: Callable[[], Snapshot]) -> None:
            if not pace.is_due(num_bytes / _BYTES_PER_S):
                return
            with pace.measured():
                snapshot, effort = take(), self.clock.effort()
                spent = {"seconds": effort.seconds, "cpu_seconds": effort.cpu_seconds}
                self._write(replace(snapshot, facts={**snapshot.facts, **facts(), "effort": spent}))

        return Snapshots(self._read, offer, resume, generators)

    def _read(self) -> Snapshot | None:
        """Return what was kept, or None, with a line in the log if there is something else."""
        if self.shelf is not None and not self.file.is_file():
            self.shelf.fetch(self.file)
        if not self.file.is_file():
            return None
        try:
            with safe_open(self.file, framework="pt") as opened:
                header = json.loads((opened.metadata() or {})[_HEADER])
                tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118  no mapping
            if (wrong := _wrong(header, self.key, tensors)) is None:
                return Snapshot(header["num_epochs"], tensors, header["facts"])
        except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
            wrong = f"{type(error).__name__}: {error}"
        _log.warning("The training begins anew: %s holds another state (%s).", self.file, wrong)
        return None

    def _write(self, snapshot: Snapshot) -> None:
        """Replace the file; without space for it the training goes on, and the log says so."""
        header = {
            **_identity(self.key),
            "num_epochs": snapshot.num_epochs,
            "facts": snapshot.facts,
            "checksum": _checksum(snapshot.tensors),
        }
        fresh = self.file.with_suffix(f".{os.getpid()}.new")
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            save_file(snapshot.tensors, fresh, {_HEADER: json.dumps(header)})
            os.replace(fresh, self.file)
        except (OSError, SafetensorError) as error:
            with contextlib.suppress(OSError):  # where it could not be created, it is not there
                fresh.unlink()
            _log.warning("An interruption now would lose epochs: %s (%s).", fresh, error)
            return
        if self.shelf is not None:
            self.shelf.keep(self.file)


def _identity(key: str) -> dict[str, object]:
    # Another version of torch may lay out an optimizer's state in another way.
    return {"format": _FORMAT, "key": key, "torch": torch.__version__}


def _wrong(header: Mapping[str, Any], key: str, tensors: Mapping[str, Tensor]) -> str | None:
    """Say what makes a file unfit for the job ``key``; None: nothing."""
    for name, value in _identity(key).items():
        if header[name] != value:
            return f"its {name} is {header[name]}, not {value}"
    if header["checksum"] != _checksum(tensors):
        return "its checksum is wrong"
    return None


def _checksum(tensors: Mapping[str, Tensor]) -> int:
    """Return the CRC-32 of all bytes, in the order of the names."""
    value = 0
    for name in sorted(tensors):
        value = zlib.crc32(tensors[name].reshape(-1).view(torch.uint8).numpy().data, value)
    return value
