"""Training of a network: the epoch that dense training and fine-tuning share, and the former."""

import math
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import OneCycleLR

from mixmatch.errors import DataError, TrainingError
from mixmatch.execution import Autocast
from mixmatch.images import Batch, Batches
from mixmatch.optimizers import optimizer_for
from mixmatch.snapshots import Snapshots, TrainingState, resumed

# Maps (network, images (B, C, H, W), labels (B,)) to the mean loss of the batch, a float32 scalar.
BatchLoss = Callable[[nn.Module, Tensor, Tensor], Tensor]


def train(  # noqa: PLR0913  each setting stands alone, and none has a home elsewhere
    model: nn.Module,
    batches: Batches,
    *,
    epochs: int,
    learning_rate: float,
    weight_decay: float = 0.0,
    schedule: Literal["one_cycle", "constant"] = "one_cycle",
    steps_per_epoch: int,
    autocast: Autocast | None = None,
    on_epoch: Callable[[float], None] | None = None,
    snapshots: Snapshots | None = None,
) -> tuple[float, ...]:
    """Train ``model`` in place with AdamW and leave it at its last epoch, in eval mode.

    Args:
        model: on its final device.
        batches: training images and labels, on that device.
        epochs: passes over ``batches``, at least 1.
        learning_rate: peak step size.
        weight_decay: decoupled.
        schedule: ``one_cycle`` (Smith and Topin 2018, torch's defaults) or ``constant``.
        steps_per_epoch: batches of one pass, exactly; only ``one_cycle`` reads it.
        autocast: context of the forward passes; None: none.
        on_epoch: called with the mean training loss after each epoch.
        snapshots: where the state between epochs is kept; a training that was interrupted goes on
            from there, bit for bit. None: nowhere.

    Returns:
        Mean training loss of each epoch.

    Raises:
        DataError: ``batches`` is empty.
        TrainingError: the loss became NaN or infinite.
    """
    optimizer = optimizer_for(
        model, "adamw", learning_rate=learning_rate, weight_decay=weight_decay
    )
    one_cycle = None
    if schedule == "one_cycle":
        total = epochs * steps_per_epoch
        one_cycle = OneCycleLR(optimizer, max_lr=learning_rate, total_steps=total)
    loss = cross_entropy(autocast)
    state = TrainingState(model, optimizer, snapshots.generators if snapshots else ())
    losses: list[float] = []
    if found := resumed(snapshots, state):
        losses += found.facts["losses"]
        if one_cycle is not None:
            one_cycle.load_state_dict(found.facts["schedule"])
    after_step = one_cycle.step if one_cycle else None
    while len(losses) < epochs:
        losses.append(train_epoch(model, batches, optimizer, after_step=after_step, loss=loss))
        if on_epoch is not None:
            on_epoch(losses[-1])
        if snapshots is not None and len(losses) < epochs:
            position = _position(one_cycle) if one_cycle else None
            facts = {"losses": losses, "schedule": position}
            snapshots.offer(state.num_bytes, partial(state.snapshot, len(losses), facts))
    model.eval()
    return tuple(losses)


def train_epoch(
    model: nn.Module,
    batches: Batches,
    optimizer: Optimizer,
    *,
    after_step: Callable[[], None] | None = None,
    loss: BatchLoss | None = None,
) -> float:
    """Train ``model`` in place for one pass over ``batches`` and leave it in train mode.

    The device is waited for once, at the end of the pass.

    Args:
        model: on the device of the batches.
        batches: training images and labels.
        optimizer: over the parameters of ``model``.
        after_step: called after every optimizer step.
        loss: what is minimized; None: cross-entropy without autocast.

    Returns:
        Mean training loss, every image counted once.

    Raises:
        DataError: ``batches`` is empty.
        TrainingError: the loss became NaN or infinite.
    """
    model.train()
    loss_of = loss or cross_entropy()
    losses: list[Tensor] = []
    sizes: list[int] = []
    for images, labels in batches():
        optimizer.zero_grad(set_to_none=True)
        batch_loss = loss_of(model, images, labels)
        torch.autograd.backward(batch_loss)
        optimizer.step()
        if after_step is not None:
            after_step()
        losses.append(batch_loss.detach())
        sizes.append(len(labels))
    return _mean_loss(losses, sizes)


def cross_entropy(autocast: Autocast | None = None) -> BatchLoss:
    """Return the plain loss: cross-entropy with the labels, in float32.

    Args:
        autocast: context of the forward pass; None: none.
    """
    context = autocast or nullcontext

    def loss(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        with context():
            outputs = model(images)
        return F.cross_entropy(outputs.float(), labels)

    return loss


def reporting(batches: Batches, num_batches: int, on_step: Callable[[float], None]) -> Batches:
    """Return ``batches`` that tell ``on_step`` how much of each pass is done, a fraction.

    Called when the work on a batch is over: when the next one is asked for.
    """

    def reported() -> Iterator[Batch]:
        for number, batch in enumerate(batches(), start=1):
            yield batch
            on_step(min(1.0, number / num_batches))

    return reported


def _position(schedule: OneCycleLR) -> dict[str, Any]:
    """Return where ``schedule`` stands; the rest of it follows from its arguments."""
    stated = schedule.state_dict()
    return {name: stated[name] for name in ("last_epoch", "_step_count", "_last_lr")}


def _mean_loss(losses: list[Tensor], sizes: list[int]) -> float:
    if not losses:
        raise DataError("An epoch of training must read at least one batch, got none.")
    per_batch = torch.stack(losses).double()
    weights = torch.tensor(sizes, dtype=torch.float64, device=per_batch.device)
    mean = float((per_batch * weights).sum() / weights.sum())
    if not math.isfinite(mean):
        raise TrainingError(
            f"The training loss must stay finite, got {mean}: lower the learning rate, or check "
            "the data's normalization."
        )
    return mean
