"""How a running member of the family tells what it does: one small JSON file that it rewrites.

Workers are processes of their own, perhaps on other hosts; a folder is what they share with the
command line.
"""

import contextlib
import os
import time
from pathlib import Path
from urllib.parse import quote

from pydantic import ValidationError

from mixmatch.records import Record

_MIN_INTERVAL_S = 0.25  # nobody reads faster, and a write costs as much as a small batch


class MemberProgress(Record):
    """How far one member is.

    Attributes:
        label: the member, as ``member_label`` names it.
        epoch: epoch that is being trained, from 0.
        max_epochs: epochs if early stopping does not end it sooner; 0: nothing is trained.
        fraction: part of the current epoch that is done, 0 to 1.
        validation_accuracy: after the last full epoch, a fraction; None before.
        started_at: seconds since 1970.
        updated_at: seconds since 1970.
        finished: whether the member is done.
    """

    label: str
    epoch: int
    max_epochs: int
    fraction: float
    validation_accuracy: float | None
    started_at: float
    updated_at: float
    finished: bool

    @property
    def done(self) -> float:
        """Part of the whole member that is done at least, a fraction."""
        if self.finished:
            return 1.0
        return min(1.0, (self.epoch + self.fraction) / self.max_epochs) if self.max_epochs else 0.0

    @property
    def remaining_s(self) -> float | None:
        """Seconds left at the pace so far, if no early stopping ends it; None: not yet known."""
        if self.done <= 0.0:
            return None
        return (self.updated_at - self.started_at) * (1.0 - self.done) / self.done


class ProgressWriter:
    """Says how far one member is; a write that fails is left out, for no run should fail on it."""

    def __init__(self, folder: Path, label: str) -> None:
        """Start telling about the member ``label`` in ``folder``, which is created."""
        self._label = label
        self._file = folder / f"{quote(label, safe='')}.json"
        self._started_at = time.time()
        self._written_at = 0.0  # monotonic seconds
        self._last: MemberProgress | None = None
        self.update(epoch=0, max_epochs=0, fraction=0.0, validation_accuracy=None)

    def update(
        self, *, epoch: int, max_epochs: int, fraction: float, validation_accuracy: float | None
    ) -> None:
        """Tell the state; written at most four times a second, so call it after every batch.

        Args:
            epoch: epoch that is being trained, from 0.
            max_epochs: epochs if early stopping does not end it sooner.
            fraction: part of the current epoch that is done, 0 to 1.
            validation_accuracy: after the last full epoch, a fraction.
        """
        is_first = self._last is None or self._last.max_epochs != max_epochs
        if not is_first and time.monotonic() - self._written_at < _MIN_INTERVAL_S:
            return
        progress = MemberProgress(
            label=self._label,
            epoch=epoch,
            max_epochs=max_epochs,
            fraction=fraction,
            validation_accuracy=validation_accuracy,
            started_at=self._started_at,
            updated_at=time.time(),
            finished=False,
        )
        self._write(progress)

    def finish(self) -> None:
        """Tell that the member is done."""
        if self._last is not None:
            now = {"updated_at": time.time(), "finished": True}
            self._write(self._last.model_copy(update=now))

    def _write(self, progress: MemberProgress) -> None:
        self._last, self._written_at = progress, time.monotonic()
        fresh = self._file.with_suffix(f".{os.getpid()}.new")
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_text(progress.model_dump_json())
            os.replace(fresh, self._file)


def read_progress(folder: Path) -> tuple[MemberProgress, ...]:
    """Return what the members in ``folder`` last told, the one that started first comes first."""
    found = []
    for file in folder.glob("*.json"):
        # A file may vanish between listing and reading when a run is cleaned up.
        with contextlib.suppress(OSError, ValidationError):
            found.append(MemberProgress.model_validate_json(file.read_text()))
    return tuple(sorted(found, key=lambda progress: (progress.started_at, progress.label)))
