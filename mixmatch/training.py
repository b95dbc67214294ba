"""Training of a network: the epoch that dense training and fine-tuning share, and the former."""

import math
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import OneCycleLR

from mixmatch.errors import DataError, TrainingError
from mixmatch.execution import Autocast
from mixmatch.images import Batch, Batches
from mixmatch.optimizers import optimizer_for


def train(
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

    Returns:
        Mean training loss of each epoch.

    Raises:
        DataError: ``batches`` is empty.
        TrainingError: the loss became NaN or infinite.
    """
    optimizer = optimizer_for(
        model, "adamw", learning_rate=learning_rate, weight_decay=weight_decay
    )
    after_step: Callable[[], None] | None = None
    if schedule == "one_cycle":
        total = epochs * steps_per_epoch
        after_step = OneCycleLR(optimizer, max_lr=learning_rate, total_steps=total).step
    losses: list[float] = []
    for _ in range(epochs):
        loss = train_epoch(model, batches, optimizer, after_step=after_step, autocast=autocast)
        losses.append(loss)
        if on_epoch is not None:
            on_epoch(loss)
    model.eval()
    return tuple(losses)


def train_epoch(
    model: nn.Module,
    batches: Batches,
    optimizer: Optimizer,
    *,
    after_step: Callable[[], None] | None = None,
    autocast: Autocast | None = None,
) -> float:
    """Train ``model`` in place for one pass over ``batches`` and leave it in train mode.

    The loss is cross-entropy. The device is waited for once, at the end of the pass.

    Args:
        model: on the device of the batches.
        batches: training images and labels.
        optimizer: over the parameters of ``model``.
        after_step: called after every optimizer step.
        autocast: context of the forward passes; None: none.

    Returns:
        Mean training loss, every image counted once.

    Raises:
        DataError: ``batches`` is empty.
        TrainingError: the loss became NaN or infinite.
    """
    model.train()
    context = autocast or nullcontext
    losses: list[Tensor] = []
    sizes: list[int] = []
    for images, labels in batches():
        optimizer.zero_grad(set_to_none=True)
        with context():
            outputs = model(images)
        loss = F.cross_entropy(outputs.float(), labels)
        torch.autograd.backward(loss)
        optimizer.step()
        if after_step is not None:
            after_step()
        losses.append(loss.detach())
        sizes.append(len(labels))
    return _mean_loss(losses, sizes)


def reporting(batches: Batches, num_batches: int, on_step: Callable[[float], None]) -> Batches:
    """Return ``batches`` that tell ``on_step`` how much of each pass is done, a fraction.

    Called when the work on a batch is over: when the next one is asked for.
    """

    def reported() -> Iterator[Batch]:
        for number, batch in enumerate(batches(), start=1):
            yield batch
            on_step(min(1.0, number / num_batches))

    return reported


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
