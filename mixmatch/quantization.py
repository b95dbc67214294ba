"""Weights in fewer bits: what a packed file of each kind of values holds, as numbers.

Only prunable weights are rounded. A weight that is zero stays zero in every kind.
"""

import torch
from torch import Tensor, nn

from mixmatch.errors import ConfigError, PackedFormatError
from mixmatch.layers import prunable_layers, weights_of

VALUE_KINDS = ("float32", "bfloat16", "float16", "int8")

# Not 127: fewer levels are fewer bits once the codes are entropy-coded. 100 takes 0.34 bit less for
# every kept weight, and no weight moves by more than half a percent of its channel's largest.
LARGEST_CODE = 100
_AT_ONCE = 2**18  # weights: quotients that stay in a cache take a third of the time
_SMALLEST_SCALE = torch.finfo(torch.float32).smallest_normal
_HALF_TYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def quantize(weight: Tensor, *, name: str = "weight") -> tuple[Tensor, Tensor]:
    """Round ``weight`` to int8, symmetric around zero, with one scale per output channel.

    The scale of a channel is its largest magnitude / 100, rounded to bfloat16; a code is weight /
    scale, in float32, rounded half to even; zero has the code 0. Quantizing what ``dequantize``
    gives yields the same codes and scales again.

    Args:
        weight: float32, of any shape; its output channels are along dimension 0, and a 0-d tensor
            is one channel.
        name: what an error calls it.

    Returns:
        Codes, int8 in [-100, 100], in the shape of ``weight``; scales, float32 of shape
        (channels,), at least the smallest normal float32 (2**-126), which is that of a channel
        of zeros.

    Raises:
        PackedFormatError: a weight is NaN or infinite, or would become so: the last half percent
            before infinity does.
    """
    num_channels = weight.shape[0] if weight.ndim else 1
    if not weight.numel():
        scales = weight.new_full((num_channels,), _SMALLEST_SCALE)
        return weight.to(torch.int8), scales
    rows = weight.detach().reshape(num_channels, -1)
    # Five times faster than aminmax.
    largest = torch.maximum(rows.amax(dim=1), -rows.amin(dim=1))
    # By a tensor: CUDA would multiply by the reciprocal of a number, which rounds differently.
    scales = largest / torch.full_like(largest, LARGEST_CODE)
    # 8 bits of mantissa: the largest code stays 100, and every product with a code is exact.
    scales = scales.to(torch.bfloat16).to(torch.float32)
    # A subnormal scale would be too coarse to divide by, and a quotient could overflow.
    scales.clamp_(min=_SMALLEST_SCALE)
    _check_finite(scales * LARGEST_CODE, "int8", name)
    return _codes(rows, scales).view(weight.shape), scales


def dequantize(codes: Tensor, scales: Tensor) -> Tensor:
    """Return the weights that codes stand for: code * scale of its channel, one float32 product.

    Args:
        codes: int8, as ``quantize`` returns them.
        scales: float32 of shape (channels,), likewise.
    """
    # A 0-d tensor has one scale and no dimension for it.
    channels = scales.reshape(scales.shape[: codes.ndim] + (1,) * (codes.ndim - 1))
    return codes.float() * channels


def round_weight(weight: Tensor, values: str, *, name: str = "weight") -> Tensor:
    """Return ``weight`` as a packed file of ``values`` gives it back, a new float32 tensor.

    Args:
        weight: float32; see ``quantize`` for int8. The other kinds round to nearest, half to even.
        values: one of ``VALUE_KINDS``.
        name: what an error calls it.

    Raises:
        ConfigError: ``values`` is unknown.
        PackedFormatError: ``values`` is not float32, and a weight is NaN or infinite or too large
            for it.
    """
    if values not in VALUE_KINDS:
        raise ConfigError(f"values must be one of {', '.join(VALUE_KINDS)}, got {values!r}.")
    if values == "float32":
        return weight.detach().clone()
    if values == "int8":
        return dequantize(*quantize(weight, name=name))
    rounded = weight.detach().to(_HALF_TYPES[values]).float()
    _check_finite(rounded, values, name)
    return rounded


def round_weights_(model: nn.Module, values: str) -> None:
    """Round the prunable weights of ``model`` in place, as ``save_packed`` stores them.

    Evaluated then, the network gives what its packed file of ``values`` will give. Biases,
    normalization and buffers stay as they are, as they do in the file.

    Args:
        model: in float32, on any device.
        values: one of ``VALUE_KINDS``.

    Raises:
        ConfigError: ``values`` is unknown.
        LayerError: the model has no prunable layer.
        PackedFormatError: as ``round_weight``; layers before the one that is named are rounded.
    """
    for name, weight in weights_of(model, prunable_layers(model)).items():
        weight.copy_(round_weight(weight, values, name=name))


def _codes(rows: Tensor, scales: Tensor) -> Tensor:
    """Return ``rows``, one per channel, divided by their scales and rounded to int8."""
    codes = torch.empty(rows.shape, dtype=torch.int8, device=rows.device)
    num_rows = max(1, _AT_ONCE // rows.shape[1])
    for first in range(0, len(rows), num_rows):
        part = slice(first, first + num_rows)
        # No quotient exceeds 100 by more than float32 rounds, so that no code has to be clipped.
        codes[part] = (rows[part] / scales[part, None]).round_()
    return codes


def _check_finite(numbers: Tensor, values: str, name: str) -> None:
    if not bool(numbers.isfinite().all()):
        raise PackedFormatError(
            f"Tensor {name!r} must be finite to be stored as {values}, also once rounded, got NaN, "
            "infinity or a number too large for it; float32 stores any."
        )
