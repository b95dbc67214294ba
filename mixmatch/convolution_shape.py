"""Which positions of image, filter and output meet in a two-dimensional convolution."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from torch import Tensor, nn

Pair = tuple[int, int]
Slices = tuple[slice, slice]

# Up to 2x2 outputs of at most 4x4 images, matrix products win in outputs and image gradients
# (docs/convolution.md).
_LARGEST_OUTPUT = 4
_LARGEST_IMAGE = 16

_NOTHING = slice(0, 0)


@dataclass(frozen=True, slots=True)
class ConvolutionShape:
    """Which positions meet in one convolution, per axis; all counts are of positions.

    Attributes:
        image: size of the image.
        output: size of the output.
        kernel: taps that see any of the image.
        stride: between two outputs.
        padding: before the first of these taps; below 0 where the image begins before it.
        first: the first of these taps, in the whole filter.
    """

    image: Pair
    output: Pair
    kernel: Pair
    stride: Pair
    padding: Pair
    first: Pair

    @classmethod
    def of(cls, module: nn.Conv2d, images_BCHW: Tensor) -> "ConvolutionShape":
        """Return the shape of a convolution, without outer taps that see only padding if small."""
        stride, padding = pair(module.stride), pair(module.padding)
        height, width = images_BCHW.shape[2:]
        kernel = pair(module.kernel_size)
        rows, columns = (
            (size + 2 * pad - taps) // step + 1
            for size, taps, step, pad in zip((height, width), kernel, stride, padding, strict=True)
        )
        whole = cls((height, width), (rows, columns), kernel, stride, padding, (0, 0))
        return whole._trimmed() if whole.is_small else whole

    def _trimmed(self) -> "ConvolutionShape":
        firsts, ends = zip(
            *(
                _seeing_taps(self.image[axis], self.output[axis], self.kernel[axis],
                             self.stride[axis], self.padding[axis])
                for axis in (0, 1)
            ),
            strict=True,
        )  # fmt: skip
        return replace(
            self,
            kernel=(ends[0] - firsts[0], ends[1] - firsts[1]),
            padding=(self.padding[0] - firsts[0], self.padding[1] - firsts[1]),
            first=firsts,
        )

    @property
    def num_outputs(self) -> int:
        """Positions of the output."""
        return self.output[0] * self.output[1]

    @property
    def is_small(self) -> bool:
        """Say whether outputs and image gradients go by products too."""
        num_images = self.image[0] * self.image[1]
        return self.num_outputs <= _LARGEST_OUTPUT and num_images <= _LARGEST_IMAGE

    def seeing(self, weight_OCKL: Tensor) -> Tensor:
        """Return the taps that see any of the image."""
        rows, columns = (
            slice(first, first + size) for first, size in zip(self.first, self.kernel, strict=True)
        )
        return weight_OCKL[:, :, rows, columns]

    def windows(self) -> Iterator[tuple[Slices, Slices]]:
        """Yield for each output position the image positions that it sees, and their taps."""
        axes = [
            [
                _window(x, self.image[axis], self.kernel[axis], self.stride[axis],
                        self.padding[axis])
                for x in range(self.output[axis])
            ]
            for axis in (0, 1)
        ]  # fmt: skip
        for (row, row_taps), (column, column_taps) in product(*axes):
            yield (row, column), (row_taps, column_taps)

    def views(self) -> Iterator[tuple[Slices, tuple[list[int], list[int]]]]:
        """Yield for each image position the outputs that see it, and the tap of each."""
        axes = [
            [
                _seeing(x, self.output[axis], self.kernel[axis], self.stride[axis],
                        self.padding[axis])
                for x in range(self.image[axis])
            ]
            for axis in (0, 1)
        ]  # fmt: skip
        for (row, row_taps), (column, column_taps) in product(*axes):
            yield (row, column), (row_taps, column_taps)

    def pairs(self) -> Iterator[tuple[Slices, Slices]]:
        """Yield for each tap the image positions that it reads, and the outputs that read them."""
        axes = [
            [
                _seen(x, self.image[axis], self.output[axis], self.stride[axis],
                      self.padding[axis])
                for x in range(self.kernel[axis])
            ]
            for axis in (0, 1)
        ]  # fmt: skip
        for (row, y), (column, x) in product(*axes):
            yield (row, column), (y, x)


def _seeing_taps(
    size: int, num_out: int, kernel: int, stride: int, padding: int
) -> tuple[int, int]:
    """Return the first tap that sees the image and the one after the last; all if none does."""
    seeing = [
        tap for tap in range(kernel) if _seen(tap, size, num_out, stride, padding)[0] != _NOTHING
    ]
    return (seeing[0], seeing[-1] + 1) if seeing else (0, kernel)


def _window(place: int, size: int, kernel: int, stride: int, padding: int) -> tuple[slice, slice]:
    """Return the image positions that one output sees, and the taps that see them."""
    start = place * stride - padding
    seen = slice(max(0, start), max(0, min(size, start + kernel)))
    return seen, slice(seen.start - start, seen.stop - start)


def _seeing(
    place: int, num_out: int, kernel: int, stride: int, padding: int
) -> tuple[slice, list[int]]:
    """Return the outputs that see one image position, and the tap of each."""
    first = max(0, -(-(place + padding - kernel + 1) // stride))
    last = min(num_out - 1, (place + padding) // stride)
    taps = [place + padding - output * stride for output in range(first, last + 1)]
    return slice(first, first + len(taps)), taps


def _seen(tap: int, size: int, num_out: int, stride: int, padding: int) -> tuple[slice, slice]:
    """Return the image positions that a tap reads, and the output positions that read them."""
    first = max(0, -(-(padding - tap) // stride))
    last = min(num_out - 1, (size - 1 + padding - tap) // stride)
    if last < first:
        return _NOTHING, _NOTHING
    start = first * stride + tap - padding
    return slice(start, last * stride + tap - padding + 1, stride), slice(first, last + 1)


def pair(value: int | tuple[int, ...] | str) -> Pair:
    """Return a setting of a module for both axes."""
    if isinstance(value, int):
        return value, value
    return int(value[0]), int(value[1])
