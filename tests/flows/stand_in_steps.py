"""Steps that worker processes can import, as light as a step can be."""

import os
import signal
from pathlib import Path
from typing import ClassVar

from mixmatch.errors import TrainingError
from mixmatch.records import Artifact, Record
from tasks.jobs import Job
from tasks.site import Site


class NumberJob(Job):
    """Square a number."""

    step: ClassVar[str] = "number"

    number: int
    behaviour: str = "square"


class NumberRecord(Record):
    """A square, with the kinds of values that records hold."""

    square: int
    values: tuple[float, ...]
    artifact: Artifact


def square(job: NumberJob, site: Site, label: str) -> NumberRecord:
    """Square a number, raise, or die: always, or the first time only."""
    log = Path(site.workspace) / "calls"
    log.mkdir(parents=True, exist_ok=True)
    (log / f"{label}-{len(list(log.glob(f'{label}-*')))}").touch()
    if job.behaviour == "raise":
        raise TrainingError(f"The number {job.number} must not be used.")
    if job.behaviour == "die" or (job.behaviour == "die once" and _is_first(log, label)):
        os.kill(os.getpid(), signal.SIGKILL)
    artifact = Artifact(digest="0" * 64, size_bytes=job.number)
    return NumberRecord(square=job.number**2, values=(0.1, 1 / 3), artifact=artifact)


def _is_first(log: Path, label: str) -> bool:
    return len(list(log.glob(f"{label}-*"))) == 1
