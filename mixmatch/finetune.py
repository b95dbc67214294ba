"""Fine-tuning under a mask: zeros stay zero, and the best epoch is kept."""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn
from torch.optim import Optimizer

from mixmatch.images import Batches
from mixmatch.masks import MaskEnforcer, Masks, apply_masks_, check_masked
from mixmatch.records import EpochRecord
from mixmatch.training import BatchLoss, train_epoch


@dataclass(frozen=True, slots=True)
class FineTuneResult:
    """What a fine-tune achieved.

    Attributes:
        best_epoch: index into ``epochs`` of the state that was kept; -1: the untrained one, only
            when no epoch was run.
        epochs: the course, one record per epoch that was run.
    """

    best_epoch: int
    epochs: tuple[EpochRecord, ...]


def fine_tune(
    model: nn.Module,
    masks: Masks,
    batches: Batches,
    optimizer: Optimizer,
    validate: Callable[[nn.Module], float],
    *,
    max_epochs: int,
    patience: int,
    loss: BatchLoss | None = None,
    on_epoch: Callable[[EpochRecord], None] | None = None,
) -> FineTuneResult:
    """Train ``model`` in place and leave it at its best epoch, in eval mode, exactly as sparse.

    Every forward pass runs the masked network. For progress within an epoch wrap ``batches`` in
    ``mixmatch.training.reporting``.

    Args:
        model: on its final device; masked here first, if it is not yet.
        masks: by layer name, on that device.
        batches: training images and labels, on that device.
        optimizer: over the parameters of ``model``.
        validate: returns the validation accuracy, a fraction; must leave the weights alone.
        max_epochs: 0 masks the model and trains nothing.
        patience: stops after so many epochs without a better validation accuracy, at least 1.
        loss: what is minimized: ``mixmatch.training.cross_entropy`` with its autocast, or a
            ``mixmatch.distillation.Distillation``; None: cross-entropy without autocast.
        on_epoch: called with each epoch's record when it is over.

    Raises:
        DataError: ``batches`` is empty.
        TrainingError: the loss became NaN or infinite, or a pruned weight is not zero at the end.
        LayerError: a mask belongs to no prunable layer of ``model``.
    """
    apply_masks_(model, masks)
    enforce = MaskEnforcer(model, masks)
    epochs: list[EpochRecord] = []
    best = _Best()
    for epoch in range(max_epochs):
        started = time.perf_counter()
        # After the step: before it, Adam would revive zeros, as in the authors' code.
        mean_loss = train_epoch(model, batches, optimizer, after_step=enforce, loss=loss)
        accuracy = validate(model)
        seconds = time.perf_counter() - started
        epochs.append(
            EpochRecord(train_loss=mean_loss, validation_accuracy=accuracy, seconds=seconds)
        )
        best.offer(model, epoch, accuracy)
        if on_epoch is not None:
            on_epoch(epochs[-1])
        if epoch - best.epoch >= patience:
            break
    best.restore_(model)
    check_masked(model, masks)
    apply_masks_(model, masks)  # clears the minus sign of zeros
    model.train().eval()  # train() drops what LeViT caches of other weights in eval mode
    return FineTuneResult(best.epoch, tuple(epochs))


class _Best:
    """The best state so far; among equals the earliest."""

    def __init__(self) -> None:
        self.epoch = -1
        self._accuracy = 0.0
        self._state: dict[str, Any] = {}

    def offer(self, model: nn.Module, epoch: int, accuracy: float) -> None:
        """Copy the state of ``model`` if it is the first, or better than all before."""
        if self.epoch < 0 or accuracy > self._accuracy:
            self.epoch, self._accuracy = epoch, accuracy
            self._state = copy.deepcopy(model.state_dict())

    def restore_(self, model: nn.Module) -> None:
        """Load the best state into ``model``; nothing if none was offered."""
        if self.epoch >= 0:
            model.load_state_dict(self._state)
