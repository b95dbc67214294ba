"""Weight gradients of convolutions on small images, by one matrix product per filter tap.

Without AVX-512, oneDNN computes them image by image; on a 1x1 output (ResNet-18's last stage at
32x32) that costs forty times the forward pass. Per tap, only the positions that the tap really
sees are multiplied, over the whole batch at once.

Shape suffixes: B batch, C input channels, O output channels, H and W image, Y and X output.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# From 5x5 outputs on, oneDNN's kernel is as fast (ResNet-18's layers on an AMD EPYC with AVX2).
_LARGEST_OUTPUT = 16


@contextmanager
def tap_weight_gradients(model: nn.Module) -> Iterator[None]:
    """Let the plain 2-D convolutions of ``model`` compute their weight gradients tap by tap.

    Outputs and input gradients are bit for bit those of the plain module; weight gradients differ
    in the last bits. Subclasses, grouped, dilated and non-zero-padded convolutions are left alone.
    """
    changed = [m for m in model.modules() if isinstance(m, nn.Conv2d) and _is_plain(m)]
    for module in changed:
        module.forward = _ForwardOf(module)  # type: ignore[method-assign, assignment]  # undone below
    try:
        yield
    finally:
        for module in changed:
            del module.forward


class _ForwardOf:
    """A convolution's forward pass that defers to the tapped gradient on small outputs."""

    def __init__(self, module: nn.Conv2d) -> None:
        self.module = module

    def __call__(self, images_BCHW: Tensor) -> Tensor:
        """Convolve as the module would."""
        module = self.module
        stride, padding = _pair(module.stride), _pair(module.padding)
        if not torch.is_grad_enabled() or _output_size(images_BCHW, module) > _LARGEST_OUTPUT:
            return F.conv2d(images_BCHW, module.weight, module.bias, stride, padding)
        outputs: Tensor = _TappedConvolution.apply(images_BCHW, module.weight, stride, padding)
        return outputs if module.bias is None else outputs + module.bias.view(1, -1, 1, 1)


class _TappedConvolution(torch.autograd.Function):
    """conv2d without bias; only the weight gradient differs from PyTorch's own."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401  autograd's context has no public type
        images_BCHW: Tensor,
        weight_OCHW: Tensor,
        stride: tuple[int, int],
        padding: tuple[int, int],
    ) -> Tensor:
        ctx.save_for_backward(images_BCHW, weight_OCHW)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(images_BCHW, weight_OCHW, None, stride, padding)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401  as above
        images, weight = ctx.saved_tensors
        needs_images, needs_weight = ctx.needs_input_grad[:2]
        image_gradient = weight_gradient = None
        if needs_images:
            image_gradient = torch.ops.aten.convolution_backward(
                gradients[0], images, weight, None, ctx.stride, ctx.padding, (1, 1),
                False, (0, 0), 1, (True, False, False),
            )[0]  # fmt: skip
        if needs_weight:
            weight_gradient = _weight_gradient(
                gradients[0], images, weight.shape[2:], ctx.stride, ctx.padding
            )
        return image_gradient, weight_gradient, None, None


def _weight_gradient(
    gradient_BOYX: Tensor,
    images_BCHW: Tensor,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
) -> Tensor:
    gradient_BYXO = gradient_BOYX.permute(0, 2, 3, 1)
    images_BHWC = images_BCHW.permute(0, 2, 3, 1)
    num_out, num_in = gradient_BOYX.shape[1], images_BCHW.shape[1]
    taps = []
    for row in range(kernel[0]):
        rows, ys = _seen(row, images_BCHW.shape[2], gradient_BOYX.shape[2], stride[0], padding[0])
        for column in range(kernel[1]):
            columns, xs = _seen(
                column, images_BCHW.shape[3], gradient_BOYX.shape[3], stride[1], padding[1]
            )
            seen = images_BHWC[:, rows, columns].reshape(-1, num_in)
            taps.append(gradient_BYXO[:, ys, xs].reshape(-1, num_out).t() @ seen)
    # Stacked so that the result is channels-last, as the weight is: no copy when it is accumulated.
    return torch.stack(taps, dim=1).view(num_out, *kernel, num_in).permute(0, 3, 1, 2)


def _seen(tap: int, size: int, num_out: int, stride: int, padding: int) -> tuple[slice, slice]:
    """Return the input positions that a tap reads, and the output positions that read them."""
    first = max(0, -(-(padding - tap) // stride))
    last = min(num_out - 1, (size - 1 + padding - tap) // stride)
    if last < first:
        return slice(0, 0), slice(0, 0)
    start = first * stride + tap - padding
    return slice(start, last * stride + tap - padding + 1, stride), slice(first, last + 1)


def _is_plain(module: nn.Conv2d) -> bool:
    return (
        type(module) is nn.Conv2d
        and module.groups == 1
        and _pair(module.dilation) == (1, 1)
        and module.padding_mode == "zeros"
        and not isinstance(module.padding, str)
    )


def _output_size(images_BCHW: Tensor, module: nn.Conv2d) -> int:
    sizes = zip(
        images_BCHW.shape[2:], module.kernel_size, _pair(module.stride), _pair(module.padding),
        strict=True,
    )  # fmt: skip
    height, width = ((size + 2 * pad - kernel) // stride + 1 for size, kernel, stride, pad in sizes)
    return height * width


def _pair(value: int | tuple[int, ...] | str) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    return int(value[0]), int(value[1])
