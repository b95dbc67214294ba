"""A training that tells how far it is: in its progress file, after every batch and epoch."""

import math
from collections.abc import Iterable
from pathlib import Path

from mixmatch.images import Batch, Batches
from mixmatch.records import EpochRecord
from mixmatch.training import reporting
from tasks.progress import ProgressWriter


def num_batches(num_images: int, batch_size: int) -> int:
    """Count the batches of one epoch; a last batch of a single image is dropped."""
    lonely = num_images % batch_size == 1 and num_images > 1
    return math.ceil(num_images / batch_size) - lonely


class WatchedTraining:
    """Follows one training through its batches and epochs.

    Args:
        folder: where the progress file goes; None: nobody watches.
        label: how the bar is called.
        max_epochs: epochs unless early stopping ends it sooner.
        steps: batches of one epoch.
    """

    def __init__(self, folder: str | None, label: str, *, max_epochs: int, steps: int) -> None:
        """Open the progress file, if anybody watches."""
        self._writer = ProgressWriter(Path(folder), label) if folder else None
        self._max_epochs, self._steps = max_epochs, steps
        self._epoch = -1
        self._accuracy: float | None = None

    def batches(self, batches: Batches) -> Batches:
        """Return ``batches`` with every step told; each pass counts as the next epoch."""
        told = reporting(batches, self._steps, self._tell)

        def passes() -> Iterable[Batch]:
            self._epoch += 1
            return told()

        return passes

    def resume(self, num_epochs: int) -> None:
        """Count epochs that were done before an interruption."""
        self._epoch += num_epochs

    def epoch_done(self, record: EpochRecord) -> None:
        """Tell the validation accuracy of a finished epoch from now on."""
        self._accuracy = record.validation_accuracy

    def finish(self) -> None:
        """Tell that all is done."""
        if self._writer:
            self._writer.finish()

    def _tell(self, fraction: float) -> None:
        if self._writer:
            self._writer.update(
                epoch=self._epoch,
                max_epochs=self._max_epochs,
                fraction=fraction,
                validation_accuracy=self._accuracy,
            )
