"""Decoded images of any size and mode become squares of uint8, in parallel threads.

Shape suffixes: N images, H height, W width, C channels.
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tasks.data.raw import Rows

# Pillow computes in fixed point, so that every machine gets the same bytes; bilinear and bicubic
# widen their support when they shrink an image (antialiasing).
INTERPOLATIONS: Mapping[str, Image.Resampling] = MappingProxyType(
    {
        "nearest": Image.Resampling.NEAREST,
        "bilinear": Image.Resampling.BILINEAR,
        "bicubic": Image.Resampling.BICUBIC,
    }
)

_CHUNK_BYTES = 1 << 21  # per thread and step: large enough to hide the cost of handing over


def square(image: Image.Image, size: int, channels: int, interpolation: str) -> NDArray[np.uint8]:
    """Resize the largest centred square of ``image`` to ``size`` x ``size``.

    This is resizing the shorter side and cropping the centre, without rounding the longer side.
    Colour becomes grey by ITU-R 601 luma where ``channels`` is 1; grey is repeated where it is 3.
    Transparency is dropped.

    Returns:
        Array of shape (size, size, C) that broadcasts to ``channels``: C is 1 for grey.
    """
    mode = "L" if channels == 1 or image.mode in ("1", "L", "LA") else "RGB"
    wanted = image if image.mode == mode else image.convert(mode)
    width, height = wanted.size
    side = min(width, height)
    left, upper = (width - side) / 2, (height - side) / 2
    resized = wanted.resize(
        (size, size), INTERPOLATIONS[interpolation], box=(left, upper, left + side, upper + side)
    )
    return np.frombuffer(resized.tobytes(), np.uint8).reshape(size, size, len(mode))


def squares(
    draw: Callable[[int], Image.Image], rows: Rows, *, size: int, channels: int, interpolation: str
) -> Iterator[NDArray[np.uint8]]:
    """Yield the images of ``rows``, in that order, as arrays (N, H, W, C) of a few megabytes each.

    Threads decode and resize; how many there are changes no byte. The first error, in the order of
    the rows, is raised.
    """
    per_chunk = max(1, _CHUNK_BYTES // (size * size * channels))
    chunks = [rows[start : start + per_chunk] for start in range(0, len(rows), per_chunk)]

    def compute(chunk: Rows) -> NDArray[np.uint8]:
        images_NHWC = np.empty((len(chunk), size, size, channels), np.uint8)
        for place, row in enumerate(chunk):
            images_NHWC[place] = square(draw(int(row)), size, channels, interpolation)
        return images_NHWC

    with ThreadPoolExecutor() as threads:
        yield from threads.map(compute, chunks)
