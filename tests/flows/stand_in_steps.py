"""Steps that worker processes can import, as light as a step can be."""

import os
import signal
import time
from pathlib import Path
from typing import ClassVar

from mixmatch.errors import TrainingError
from mixmatch.records import Artifact, Execution, Record
from tasks.jobs import Job
from tasks.site import Site

_BUSY_S = 0.3


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


class AcceleratedJob(NumberJob):
    """Needs an accelerator, as far as the fan-out can see."""

    execution: Execution = Execution(
        device="cuda", precision="float32", threads=0, small_convolutions="native", versions={}
    )


def occupy(job: NumberJob, site: Site, label: str) -> NumberRecord:
    """Return the number of this process and when it was at work, in seconds of one clock."""
    del site, label
    began = time.monotonic()
    time.sleep(_BUSY_S)
    artifact = Artifact(digest="0" * 64, size_bytes=job.number)
    return NumberRecord(square=os.getpid(), values=(began, time.monotonic()), artifact=artifact)
