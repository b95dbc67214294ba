"""Zeros that stay: what keeps pruned weights at zero through a training."""

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from mixmatch.layers import weight_of
from mixmatch.masks import Masks
from mixmatch.optimizers import hold_zeros_


class MaskEnforcer:
    """Keeps the pruned weights of one model at zero; call it after every optimizer step.

    The first call zeroes them and lets the optimizer hold them there, which costs nothing from
    then on. What it cannot hold is multiplied by its mask at every call: one fused call over those
    layers, on masks laid out like the weights.

    It holds the model's parameters, so the model must not be moved or converted meanwhile. A zero
    may carry a minus sign; ``apply_masks_`` clears it.

    Raises:
        LayerError: a mask belongs to no prunable layer of the model.
    """

    def __init__(self, model: nn.Module, masks: Masks, optimizer: Optimizer) -> None:
        """Take note of the layers that lose anything.

        Args:
            model: on its final device, as are ``masks`` (by layer name).
            optimizer: over its parameters; what it has learned may change before the first call.
        """
        self._optimizer = optimizer
        self._not_begun = [
            (weight_of(model, name), mask) for name, mask in masks.items() if not mask.all()
        ]
        self._weights: list[Tensor] = []
        self._factors: list[Tensor] = []

    @torch.no_grad()
    def __call__(self) -> None:
        """Zero the pruned weights again, in place."""
        while self._not_begun:
            weight, mask = self._not_begun.pop()
            weight.masked_fill_(~mask, 0.0)
            # Here and not earlier: an optimizer has no state before its first step.
            if not hold_zeros_(self._optimizer, weight, ~mask):
                self._weights.append(weight.detach())
                self._factors.append(torch.empty_like(weight).copy_(mask))
        if self._weights:
            torch._foreach_mul_(self._weights, self._factors)
