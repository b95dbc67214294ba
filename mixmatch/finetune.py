"""Fine-tuning under a mask: zeros stay zero, and the best epoch is kept."""

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import nn
from torch.optim import Optimizer

from mixmatch.enforcement import MaskEnforcer
from mixmatch.images import Batches
from mixmatch.masks import Masks, apply_masks_, check_masked
from mixmatch.records import EpochRecord
from mixmatch.snapshots import (
    BEST,
    Snapshot,
    Snapshots,
    TrainingState,
    best_tensors,
    resumed,
)
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


def fine_tune(  # noqa: PLR0913  each setting stands alone, and none has a home elsewhere
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
    snapshots: Snapshots | None = None,
) -> FineTuneResult:
    """Train ``model`` in place and leave it at its best epoch, in eval mode, exactly as sparse.

    Every forward pass runs the masked network. For progress within an epoch wrap ``batches`` in
    ``mixmatch.training.reporting``.

    Args:
        model: on its final device; masked here first, if it is not yet.
        masks: by layer name, on that device.
        batches: training images and labels, on that device.
        optimizer: over the parameters of ``model``; an Adam holds the zeros of these masks from
            then on, so it is not to be used with others.
        validate: returns the validation accuracy, a fraction; must leave the weights alone.
        max_epochs: 0 masks the model and trains nothing.
        patience: stops after so many epochs without a better validation accuracy, at least 1.
        loss: what is minimized: ``mixmatch.training.cross_entropy`` with its autocast, or a
            ``mixmatch.distillation.Distillation``; None: cross-entropy without autocast.
        on_epoch: called with each epoch's record when it is over.
        snapshots: where the state between epochs is kept; a training that was interrupted goes on
            from there, and its result is that of an uninterrupted one, bit for bit. None: nowhere.

    Raises:
        DataError: ``batches`` is empty.
        TrainingError: the loss became NaN or infinite, or a pruned weight is not zero at the end.
        LayerError: a mask belongs to no prunable layer of ``model``.
    """
    apply_masks_(model, masks)
    enforce = MaskEnforcer(model, masks, optimizer)
    best = _Best()
    state = TrainingState(model, optimizer, snapshots.generators if snapshots else ())
    epochs = _resumed(snapshots, state, best)

    def is_over() -> bool:
        return len(epochs) >= max_epochs or best.is_stale(len(epochs), patience)

    while not is_over():
        started = time.perf_counter()
        # After the step: before it, Adam would revive zeros, as in the authors' code.
        mean_loss = train_epoch(model, batches, optimizer, after_step=enforce, loss=loss)
        accuracy = validate(model)
        seconds = time.perf_counter() - started
        epochs.append(
            EpochRecord(train_loss=mean_loss, validation_accuracy=accuracy, seconds=seconds)
        )
        best.offer(model, len(epochs) - 1, accuracy)
        if on_epoch is not None:
            on_epoch(epochs[-1])
        if snapshots is not None and not is_over():
            snapshots.offer(state.num_bytes, partial(_snapshot, state, best, epochs))
    best.restore_(model)
    check_masked(model, masks)
    apply_masks_(model, masks)  # clears the minus sign of zeros
    model.train().eval()  # train() drops what LeViT caches of other weights in eval mode
    return FineTuneResult(best.epoch, tuple(epochs))


class _Best:
    """The best state so far; among equals the earliest."""

    def __init__(self) -> None:
        self.epoch = -1
        self.accuracy = 0.0
        self.state: dict[str, Any] = {}

    def offer(self, model: nn.Module, epoch: int, accuracy: float) -> None:
        """Copy the state of ``model`` if it is the first, or better than all before."""
        if self.epoch < 0 or accuracy > self.accuracy:
            self.epoch, self.accuracy = epoch, accuracy
            self.state = copy.deepcopy(model.state_dict())

    def is_stale(self, num_epochs: int, patience: int) -> bool:
        """Say whether the last ``patience`` of ``num_epochs`` epochs were no better."""
        return num_epochs - 1 - self.epoch >= patience

    def restore_(self, model: nn.Module) -> None:
        """Load the best state into ``model``; nothing if none was offered."""
        if self.epoch >= 0:
            model.load_state_dict(self.state)


def _snapshot(state: TrainingState, best: _Best, epochs: Sequence[EpochRecord]) -> Snapshot:
    """Take the state after ``epochs``; a best one that is the current one is not kept twice."""
    is_current = best.epoch == len(epochs) - 1
    facts = {
        "epochs": [epoch.model_dump(mode="json") for epoch in epochs],
        "best_epoch": best.epoch,
        "best_accuracy": best.accuracy,
    }
    others = {} if is_current else {f"{BEST}{name}": x for name, x in best.state.items()}
    return state.snapshot(len(epochs), facts, others=others)


def _resumed(snapshots: Snapshots | None, state: TrainingState, best: _Best) -> list[EpochRecord]:
    """Put back what was kept of an interrupted fine-tune; return the epochs that are done."""
    found = resumed(snapshots, state)
    if found is None:
        return []
    best.epoch, best.accuracy = found.facts["best_epoch"], found.facts["best_accuracy"]
    best.state = best_tensors(found) or copy.deepcopy(state.model.state_dict())
    return [EpochRecord.model_validate(epoch) for epoch in found.facts["epochs"]]
