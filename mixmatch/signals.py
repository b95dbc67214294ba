"""What calibration images say about each weight: gradients, and GraSP's Hessian-gradient product.

Measured once; every criterion and every baseline reads the same stored signals.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from mixmatch.errors import DataError, LayerError
from mixmatch.images import Batch, Batches
from mixmatch.layers import weight_of
from mixmatch.roles import PrunableLayer

# How far central differences step, relative to the length of the weights. Below, float32 rounding
# shows; above, activations cross their kinks.
_RELATIVE_STEP = 3e-4

_NO_SECOND_DERIVATIVE = re.compile(
    r"derivative for .* is not implemented"
    r"|once_differentiable"
    r"|does not require grad and does not have a grad_fn"
)


class Signal(StrEnum):
    """What a score reads besides the weight."""

    NONE = "none"
    ABS_GRADIENT = "abs_gradient"
    GRADIENT = "gradient"
    HESSIAN_GRADIENT = "hessian_gradient"
    NOISE = "noise"  # uniform in [0, 1); drawn when scored, never measured


@dataclass(frozen=True, slots=True)
class Signals:
    """Measured signals by layer name, each float32 in the shape of the layer's weight.

    Attributes:
        abs_gradient: mean over batches of |g_batch|, with g_batch the gradient of a batch's loss.
        gradient: mean over batches of g_batch, signed.
        hessian_gradient: H g, the sum over batches of d(g . grad L_batch)/dw with ``gradient`` as
            the constant g; empty when it was not asked for.
    """

    abs_gradient: Mapping[str, Tensor]
    gradient: Mapping[str, Tensor]
    hessian_gradient: Mapping[str, Tensor]

    def of(self, signal: Signal) -> Mapping[str, Tensor]:
        """Return one measured signal by layer name; empty for those that are not measured."""
        measured = {
            Signal.ABS_GRADIENT: self.abs_gradient,
            Signal.GRADIENT: self.gradient,
            Signal.HESSIAN_GRADIENT: self.hessian_gradient,
        }
        return measured.get(signal, {})


def measure_signals(
    model: nn.Module, layers: Sequence[PrunableLayer], batches: Batches, *, hessian: bool = True
) -> Signals:
    """Measure the signals of ``layers`` on calibration images, with cross-entropy loss.

    Runs in eval mode and float32, so no statistic moves; the model's modes, gradients,
    ``requires_grad`` and weights are afterwards what they were. Every batch counts the same,
    whatever its size (METHOD, section 3). Costs one pass, and two to four times as much again for
    ``hessian``; holds the graph of one batch at a time.

    Args:
        batches: labelled images on the model's device; read once, and again for ``hessian``.
        hessian: whether to measure ``hessian_gradient`` too.

    Raises:
        LayerError: the model lacks one of the layers, or its weight is not float32.
        DataError: there is no batch.
    """
    weights = [weight_of(model, layer.name) for layer in layers]
    for layer, weight in zip(layers, weights, strict=True):
        if weight.dtype != torch.float32:
            raise LayerError(
                f"Signals are measured in float32, but layer {layer.name!r} is {weight.dtype}; "
                f"call model.float() first."
            )
    names = [layer.name for layer in layers]
    with _only_differentiating(model, weights):
        abs_gradient, gradient = _mean_gradients(model, weights, batches)
        products = _hessian_gradient(model, weights, batches, gradient) if hessian else []
    return Signals(
        abs_gradient=dict(zip(names, abs_gradient, strict=True)),
        gradient=dict(zip(names, gradient, strict=True)),
        hessian_gradient=dict(zip(names, products, strict=False)),
    )


@contextmanager
def _only_differentiating(model: nn.Module, weights: Sequence[nn.Parameter]) -> Iterator[None]:
    """Put the model into eval mode with gradients for ``weights`` only; restore all afterwards."""
    model_mode = model.training
    modes = [(module, module.training) for module in model.modules()]
    flags = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    device_type = weights[0].device.type if weights else "cpu"
    try:
        model.train()  # empties what some models keep in eval mode (LeViT's attention biases)
        model.eval()
        model.requires_grad_(False)
        for weight in weights:
            weight.requires_grad_(True)
        with (
            torch.inference_mode(mode=False),
            torch.enable_grad(),
            torch.autocast(device_type, enabled=False),
        ):
            yield
    finally:
        model.train(model_mode)
        for module, mode in modes:
            module.training = mode
        for parameter, flag in flags:
            parameter.requires_grad_(flag)


def _mean_gradients(
    model: nn.Module, weights: Sequence[nn.Parameter], batches: Batches
) -> tuple[list[Tensor], list[Tensor]]:
    """Average |g_batch| and g_batch over the batches of one pass."""
    abs_sums = [torch.zeros_like(weight) for weight in weights]
    sums = [torch.zeros_like(weight) for weight in weights]
    num_batches = 0
    for batch in batches():
        gradients = _gradients(model, weights, batch)
        for abs_sum, total, gradient in zip(abs_sums, sums, gradients, strict=True):
            abs_sum.add_(gradient.abs())
            total.add_(gradient)
        num_batches += 1
    if not num_batches:
        raise DataError("Calibration needs at least one batch of images, got none.")
    for total in (*abs_sums, *sums):
        total.div_(num_batches)
    return abs_sums, sums


def _hessian_gradient(
    model: nn.Module, weights: Sequence[nn.Parameter], batches: Batches, direction: list[Tensor]
) -> list[Tensor]:
    """Differentiate exactly, or by central differences where an operator allows it only once."""
    try:
        # The fused attention kernels have no second derivative, the plain one has.
        with sdpa_kernel(SDPBackend.MATH):
            return exact_products(model, weights, batches, direction)
    except RuntimeError as error:
        if not _NO_SECOND_DERIVATIVE.search(str(error)):
            raise
    return central_differences(model, weights, batches, direction)


def exact_products(
    model: nn.Module,
    weights: Sequence[nn.Parameter],
    batches: Batches,
    direction: Sequence[Tensor],
) -> list[Tensor]:
    """Return sum over batches of d(direction . grad L_batch)/dw, by differentiating twice.

    The model must be in eval mode with gradients enabled for ``weights``, as inside
    ``measure_signals``.

    Raises:
        RuntimeError: an operator of the model has no second derivative.
    """
    products = [torch.zeros_like(weight) for weight in weights]
    for batch in batches():
        gradients = _gradients(model, weights, batch, twice=True)
        slope = torch.stack(
            [(g * d).sum() for g, d in zip(gradients, direction, strict=True)]
        ).sum()
        parts = torch.autograd.grad(slope, weights, materialize_grads=True)
        for product, part in zip(products, parts, strict=True):
            product.add_(part)
    return products


def central_differences(
    model: nn.Module,
    weights: Sequence[nn.Parameter],
    batches: Batches,
    direction: Sequence[Tensor],
) -> list[Tensor]:
    """Return (grad L(w + e d) - grad L(w - e d)) / 2e, L summed over batches, d ``direction``.

    Under the same conditions as ``exact_products``; the weights are restored bit for bit.
    """
    length = torch.stack([d.square().sum() for d in direction]).sum().sqrt().item()
    products = [torch.zeros_like(weight) for weight in weights]
    if length == 0.0:
        return products
    size = torch.stack([w.detach().square().sum() for w in weights]).sum().sqrt().item()
    step = _RELATIVE_STEP * (size or 1.0) / length
    saved = [weight.detach().clone() for weight in weights]
    try:
        for sign in (1.0, -1.0):
            _move_(weights, saved, direction, sign * step)
            for batch in batches():
                gradients = _gradients(model, weights, batch)
                for product, gradient in zip(products, gradients, strict=True):
                    product.add_(gradient, alpha=sign / (2 * step))
    finally:
        _move_(weights, saved, direction, 0.0)
    return products


def _gradients(
    model: nn.Module, weights: Sequence[nn.Parameter], batch: Batch, *, twice: bool = False
) -> tuple[Tensor, ...]:
    """Differentiate one batch's mean loss; zeros where a weight has no part in it."""
    images, labels = batch
    loss = F.cross_entropy(model(images), labels)
    return torch.autograd.grad(loss, weights, create_graph=twice, materialize_grads=True)


def _move_(
    weights: Sequence[nn.Parameter],
    origin: Sequence[Tensor],
    direction: Sequence[Tensor],
    distance: float,
) -> None:
    """Set the weights to ``origin + distance * direction``; distance 0 copies exactly."""
    with torch.no_grad():
        for weight, start, d in zip(weights, origin, direction, strict=True):
            weight.copy_(start)
            if distance:
                weight.add_(d, alpha=distance)
