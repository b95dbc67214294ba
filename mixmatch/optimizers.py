"""Optimizers by name, in their fused form where the device has one.

To add one: a name in FineTuneSettings and in ``optimizer_for``.
"""

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from mixmatch.config.fine_tune import FineTuneSettings

_SGD_MOMENTUM = 0.9
# Elsewhere the fused kernels are missing or young; the plain ones give the same course.
_FUSED_DEVICES = frozenset({"cpu", "cuda"})


def make_optimizer(model: nn.Module, settings: FineTuneSettings) -> Optimizer:
    """Return the optimizer of ``settings`` over the trainable parameters of ``model``.

    Make it after the model has been moved to its device: it holds the parameters.
    """
    return optimizer_for(
        model,
        settings.optimizer,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
    )


def optimizer_for(
    model: nn.Module,
    kind: Literal["adam", "adamw", "sgd"],
    *,
    learning_rate: float,
    weight_decay: float,
) -> Optimizer:
    """Return an optimizer over the trainable parameters of ``model``.

    Args:
        model: on its final device.
        kind: ``sgd`` has momentum 0.9.
        learning_rate: step size, above 0.
        weight_decay: L2 for adam and sgd, decoupled for adamw; on all parameters.
    """
    parameters = [x for x in model.parameters() if x.requires_grad]
    fused = {x.device.type for x in parameters} <= _FUSED_DEVICES
    if kind == "sgd":
        return SGD(
            parameters,
            lr=learning_rate,
            weight_decay=weight_decay,
            momentum=_SGD_MOMENTUM,
            fused=fused,
        )
    adam = AdamW if kind == "adamw" else Adam
    return adam(parameters, lr=learning_rate, weight_decay=weight_decay, fused=fused)


@torch.no_grad()
def hold_zeros_(optimizer: Optimizer, parameter: Tensor, where: Tensor) -> bool:
    """Let an Adam or AdamW that has taken a step leave zeros of ``parameter`` alone from now on.

    A step of Adam is divided by the root of the second moment. Where that is infinite the step is
    exactly zero, and it stays infinite whatever finite gradient comes; weight decay leaves zeros
    alone. All other weights take the same course as without this, bit for bit, and no step takes
    longer.

    Args:
        optimizer: any; it must not train ``parameter`` under another mask later.
        parameter: one that it trains.
        where: bool, the shape of ``parameter``; True where it is zero and stays so.

    Returns:
        Whether they are held. Not so where the optimizer has no second moment of ``parameter``
        (before its first step, or without a gradient), forgets it, or is no Adam: RAdam, for one,
        does not divide by it at first.
    """
    if not isinstance(optimizer, Adam):
        return False
    forgets = any(group["betas"][1] == 0.0 for group in optimizer.param_groups)
    moment = optimizer.state.get(parameter, {}).get("exp_avg_sq")
    if moment is None or forgets:
        return False
    moment.masked_fill_(where, math.inf)
    return True
