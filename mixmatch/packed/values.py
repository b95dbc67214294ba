"""Kept values as planes of bytes and back, bit for bit: bytes that are alike lie together.

To add a kind: a line in each table.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixmatch.errors import PackedFormatError

# Dtype of the array on either side. numpy has no bfloat16: its 16 bits, as a number.
VALUE_DTYPES: Mapping[str, str] = MappingProxyType(
    {"float32": "<f4", "bfloat16": "<u2", "float16": "<f2", "int8": "|i1"}
)
# The parts of each kind, in the order in which they are to be written, with bytes per value.
# Exponents and high bytes compress well, all others hardly.
VALUE_PARTS: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {
        "float32": MappingProxyType({"exponents": 1, "mantissas": 3}),
        "bfloat16": MappingProxyType({"exponents": 1, "mantissas": 1}),
        "float16": MappingProxyType({"high": 1, "low": 1}),
        "int8": MappingProxyType({"codes": 1}),
    }
)

_SIGN, _ONE, _SEVEN = np.uint8(0x80), np.uint8(1), np.uint8(7)

Bytes = NDArray[np.uint8]


def encode_values(values: NDArray[Any], kind: str) -> dict[str, bytes]:
    """Split ``values``, flat and of dtype ``VALUE_DTYPES[kind]``, into the parts of ``kind``.

    A part is planes of one byte per value, one after the other, from the highest byte down. In
    float32 and bfloat16 the exponent fills a plane of its own, and the sign takes the place that
    the exponent's lowest bit leaves free in the next.
    """
    dtype = np.dtype(VALUE_DTYPES[kind])
    rows = np.ascontiguousarray(values).view(np.uint8).reshape(values.size, dtype.itemsize)
    planes = list(rows.T[::-1])
    if "exponents" in VALUE_PARTS[kind]:
        planes[:2] = _exponents_first(planes[0], planes[1])
    parts = {}
    for part, width in VALUE_PARTS[kind].items():
        parts[part] = b"".join(plane.tobytes() for plane in planes[:width])
        planes = planes[width:]
    return parts


def sizes_of_values(kind: str, count: int) -> dict[str, int]:
    """Return the length in bytes that each part of ``count`` values has, by part.

    Raises:
        PackedFormatError: ``kind`` is unknown.
    """
    if kind not in VALUE_PARTS:
        raise PackedFormatError(
            f"kind of values must be one of {', '.join(VALUE_PARTS)}, got {kind!r}; a newer "
            "mixmatch may know it."
        )
    return {part: width * count for part, width in VALUE_PARTS[kind].items()}


def decode_values(
    kind: str,
    parts: Mapping[str, bytes | memoryview],
    count: int,
    between: slice = slice(None),
) -> NDArray[Any]:
    """Join values again, flat, writable, of dtype ``VALUE_DTYPES[kind]``.

    Args:
        kind: a key of ``VALUE_PARTS``.
        parts: by name; all ``count`` values.
        count: how many values the parts hold.
        between: which of them to return, of step 1; only these take memory.

    Raises:
        PackedFormatError: ``kind`` is unknown, or a part is missing or of another length.
    """
    sizes = sizes_of_values(kind, count)
    found = {part: len(content) for part, content in parts.items()}
    if found != sizes:
        raise PackedFormatError(
            f"{count} values of kind {kind} must have parts of {sizes} bytes, got {found}."
        )
    planes = [
        plane[between]
        for part in sizes
        for plane in np.frombuffer(parts[part], np.uint8).reshape(VALUE_PARTS[kind][part], count)
    ]
    dtype = np.dtype(VALUE_DTYPES[kind])
    joined = np.empty((planes[0].size, dtype.itemsize), np.uint8)
    if "exponents" in sizes:
        planes[:2] = _sign_first(planes[0], planes[1])
    for place, plane in enumerate(reversed(planes)):
        joined[:, place] = plane
    return joined.reshape(-1).view(dtype)


def _exponents_first(high: Bytes, next_high: Bytes) -> tuple[Bytes, Bytes]:
    """Return the exponents, and the signs with the highest bits of the mantissas."""
    exponents = (high << _ONE) | (next_high >> _SEVEN)
    return exponents, (high & _SIGN) | (next_high & ~_SIGN)


def _sign_first(exponents: Bytes, signed: Bytes) -> tuple[Bytes, Bytes]:
    """Return the two highest bytes of floats, where the sign stands above the exponent."""
    return (signed & _SIGN) | (exponents >> _ONE), (exponents << _SEVEN) | (signed & ~_SIGN)
