"""Convolutions on small images as matrix products over the positions that a filter really sees.

A 3x3 filter on a 1x1 image (ResNet-18's last stage at 32x32) sees padding with eight of its nine
taps, but oneDNN multiplies with all nine, and computes weight gradients of images up to 4x4 many
times slower than a matrix product does.

Shape suffixes: B batch, C input channels, O output channels, H and W image, Y and X output, K and
L filter rows and columns.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mixmatch.convolution_shape import ConvolutionShape, Pair, pair

# Weight gradients are faster by products up to 4x4 outputs (docs/convolution.md).
_LARGEST_FOR_WEIGHTS = 16


@contextmanager
def small_products(model: nn.Module) -> Iterator[None]:
    """Let the plain 2-D convolutions of ``model`` compute small images by matrix products.

    Results differ from those of the plain modules in the last bits. Subclasses, grouped, dilated
    and non-zero-padded convolutions are left alone, and so is what an outer call has changed.
    """
    changed = [
        m
        for m in model.modules()
        if isinstance(m, nn.Conv2d) and _is_plain(m) and "forward" not in vars(m)
    ]
    for module in changed:
        module.forward = _ForwardOf(module)  # type: ignore[method-assign, assignment]  # undone below
    try:
        yield
    finally:
        for module in changed:
            del module.forward


class _ForwardOf:
    """A convolution's forward pass that takes the products where the image is small."""

    def __init__(self, module: nn.Conv2d) -> None:
        self.module = module

    def __call__(self, images_BCHW: Tensor) -> Tensor:
        """Convolve as the module would."""
        module = self.module
        shape = ConvolutionShape.of(module, images_BCHW)
        needs_gradient = torch.is_grad_enabled() and shape.num_outputs <= _LARGEST_FOR_WEIGHTS
        if not (needs_gradient or shape.is_small):
            return F.conv2d(
                images_BCHW, module.weight, module.bias, shape.stride, pair(module.padding)
            )
        if torch.is_autocast_enabled(images_BCHW.device.type):
            images_BCHW = images_BCHW.to(torch.get_autocast_dtype(images_BCHW.device.type))
        taps_OCKL = shape.seeing(module.weight).to(images_BCHW.dtype)
        outputs: Tensor = (
            _SmallConvolution.apply(images_BCHW, taps_OCKL, shape)
            if needs_gradient
            else _outputs(images_BCHW, taps_OCKL, shape)
        )
        if module.bias is None:
            return outputs
        return outputs + module.bias.to(outputs.dtype).view(1, -1, 1, 1)


class _SmallConvolution(torch.autograd.Function):
    """conv2d without bias, with weight gradients by products; the rest too where that is faster."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401  autograd's context has no public type
        images_BCHW: Tensor,
        taps_OCKL: Tensor,
        shape: ConvolutionShape,
    ) -> Tensor:
        ctx.save_for_backward(images_BCHW, taps_OCKL)
        ctx.shape = shape
        if shape.is_small:
            return _outputs(images_BCHW, taps_OCKL, shape)
        return F.conv2d(images_BCHW, taps_OCKL, None, shape.stride, shape.padding)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401  as above
        images, taps = ctx.saved_tensors
        shape: ConvolutionShape = ctx.shape
        needs_images, needs_weight = ctx.needs_input_grad[:2]
        image_gradient = weight_gradient = None
        if needs_images and shape.is_small:
            image_gradient = _image_gradient(gradients[0], taps, shape)
        elif needs_images:
            image_gradient = torch.ops.aten.convolution_backward(
                gradients[0], images, taps, None, shape.stride, shape.padding,
                (1, 1), False, (0, 0), 1, (True, False, False),
            )[0]  # fmt: skip
        if needs_weight:
            weight_gradient = _weight_gradient(gradients[0], images, taps, shape)
        return image_gradient, weight_gradient, None


def _outputs(images_BCHW: Tensor, taps_OCKL: Tensor, shape: ConvolutionShape) -> Tensor:
    """Multiply, for each output position, all that it sees with the taps that see it.

    One product sums up one position, so nothing is rounded in between.
    """
    images_BHWC, taps_OKLC = images_BCHW.permute(0, 2, 3, 1), taps_OCKL.permute(0, 2, 3, 1)
    outputs = [
        images_BHWC[:, *seen].flatten(1) @ taps_OKLC[:, *taps].flatten(1).t()
        for seen, taps in shape.windows()
    ]
    return _on_grid(outputs, shape.output)


def _image_gradient(gradient_BOYX: Tensor, taps_OCKL: Tensor, shape: ConvolutionShape) -> Tensor:
    """Multiply, for each image position, the gradients of all that sees it with their taps."""
    taps_OKLC = taps_OCKL.permute(0, 2, 3, 1)
    gradients = [
        gradient_BOYX[:, :, *seeing].flatten(1) @ taps_OKLC[:, rows][:, :, columns].flatten(0, 2)
        for seeing, (rows, columns) in shape.views()
    ]
    return _on_grid(gradients, shape.image)


def _weight_gradient(
    gradient_BOYX: Tensor, images_BCHW: Tensor, taps_OCKL: Tensor, shape: ConvolutionShape
) -> Tensor:
    """Multiply, for each tap, what it sees with the gradients there, over the whole batch."""
    gradient_BYXO = gradient_BOYX.permute(0, 2, 3, 1)
    images_BHWC = images_BCHW.permute(0, 2, 3, 1)
    gradients = [
        gradient_BYXO[:, *reading].flatten(0, 2).t() @ images_BHWC[:, *read].flatten(0, 2)
        for read, reading in shape.pairs()
    ]
    # Laid out channels-last, as the weight is: no copy when it is accumulated.
    return _on_grid(gradients, shape.kernel)


def _on_grid(parts: list[Tensor], grid: Pair) -> Tensor:
    """Lay matrices of one shape, one per position, out as (rows, columns of theirs, *grid)."""
    return torch.stack(parts, dim=1).view(len(parts[0]), *grid, -1).permute(0, 3, 1, 2)


def _is_plain(module: nn.Conv2d) -> bool:
    return (
        type(module) is nn.Conv2d
        and module.groups == 1
        and pair(module.dilation) == (1, 1)
        and module.padding_mode == "zeros"
        and not isinstance(module.padding, str)
    )
