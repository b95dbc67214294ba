"""The one file that a data set becomes: a safetensors file, written as a stream."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_ALIGNMENT = 8  # bytes; int64 tensors lie on multiples of it


def write_data_file(
    path: Path,
    images: Iterable[NDArray[np.uint8]],
    shape: tuple[int, int, int, int],
    columns: Mapping[str, NDArray[np.int64]],
) -> None:
    """Write images and columns of numbers as safetensors; equal content gives equal bytes.

    The images are never in memory all at once, for which safetensors' own writer has no way.

    Args:
        path: the new file.
        images: uint8 arrays (n, H, W, C), in order, that together have ``shape``.
        shape: (N, H, W, C) of the tensor ``images``.
        columns: int64 vectors by name: ``labels`` and the row numbers of each split.

    Raises:
        ValueError: ``images`` do not add up to ``shape``.
    """
    numbers = {name: columns[name].astype("<i8") for name in sorted(columns)}
    with path.open("wb") as file:
        file.write(_header(shape, {name: len(x) for name, x in numbers.items()}))
        for vector in numbers.values():
            file.write(vector.tobytes())
        start = file.tell()
        for part in images:
            file.write(np.ascontiguousarray(part).data)
        written = file.tell() - start
    if written != np.prod(shape):
        raise ValueError(f"images of shape {shape} must have {np.prod(shape)} bytes, got {written}")


def _header(shape: tuple[int, int, int, int], lengths: Mapping[str, int]) -> bytes:
    """Return the length-prefixed JSON that says where each tensor lies; images come last."""
    entries: dict[str, object] = {}
    offset = 0
    for name, length in lengths.items():
        end = offset + 8 * length
        entries[name] = {"dtype": "I64", "shape": [length], "data_offsets": [offset, end]}
        offset = end
    end = offset + int(np.prod(shape))
    entries["images"] = {"dtype": "U8", "shape": list(shape), "data_offsets": [offset, end]}
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return len(text).to_bytes(8, "little") + text
