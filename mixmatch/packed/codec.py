"""One tensor to the parts of a packed file, version 2, and back: flat arrays, without torch."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixmatch.errors import PackedFormatError
from mixmatch.packed.compression import compress
from mixmatch.packed.layout import (
    ALL,
    DATA,
    DTYPES,
    FLOAT32,
    INT8,
    NOTHING,
    RAW,
    SCALES,
    PackedTensor,
    Part,
)
from mixmatch.packed.positions import (
    POSITION_PARTS,
    Content,
    decode_positions,
    encode_positions,
)
from mixmatch.packed.values import VALUE_PARTS, decode_values, encode_values, sizes_of_values

Flat = NDArray[Any]

# Below this share of pruned entries, storing all of them may take fewer bytes than a mask.
_FEW_PRUNED = 0.25
_BFLOAT16 = "bfloat16"
_BLOCK = 2**16  # entries at once
_WORD_BYTES = 8
# Bits of a value that is not zero; the sign, which these leave out, may be set in a zero.
_MAGNITUDES: Mapping[str, int] = {_BFLOAT16: 0x7FFF, "float8_e4m3fn": 0x7F, "float8_e5m2": 0x7F}


@dataclass(frozen=True, slots=True)
class Stored:
    """Values of one tensor as they go into a file.

    Attributes:
        positions: which entries are stored.
        num_stored: how many.
        num_nonzero: entries that are not zero.
        parts: what the layout says of the parts.
        pieces: the parts, in the same order.
    """

    positions: str
    num_stored: int
    num_nonzero: int
    parts: tuple[Part, ...]
    pieces: tuple[bytes, ...]

    @property
    def size_bytes(self) -> int:
        """Length in the file."""
        return sum(part.stored_bytes for part in self.parts)


def encode_all(flat: Flat, values: str, dtype: str, scales: Flat | None = None) -> Stored:
    """Store every entry of a flat array.

    Args:
        flat: of the numpy dtype of ``values``: ``VALUE_DTYPES``, for raw ``DTYPES[dtype]``.
        values: how to store them.
        dtype: of the tensor.
        scales: of int8 values, float32, one per channel.
    """
    parts = _scale_parts(scales) | _value_parts(flat, values)
    return _stored(ALL, flat.size, count_nonzero(flat, values, dtype), parts)


def encode_kept(flat: Flat, values: str, dtype: str, scales: Flat | None = None) -> Stored:
    """Store the entries of a flat array that have a bit set, or all if that takes fewer bytes.

    Arguments are those of ``encode_all``.
    """
    kept = has_bits(flat)
    num_kept = int(np.count_nonzero(kept))
    if num_kept == 0:
        return Stored(NOTHING, 0, 0, (), ())
    if num_kept == flat.size:
        return encode_all(flat, values, dtype, scales)
    positions = encode_positions(kept)
    kept_values = _taken(flat, kept, num_kept)
    parts = positions.parts | _scale_parts(scales) | _value_parts(kept_values, values)
    num_nonzero = count_nonzero(kept_values, values, dtype)
    some = _stored(positions.encoding, num_kept, num_nonzero, parts)
    if num_kept < (1 - _FEW_PRUNED) * flat.size:
        return some
    return min(some, encode_all(flat, values, dtype, scales), key=lambda x: x.size_bytes)


def decode(tensor: PackedTensor, parts: Mapping[str, Content]) -> Flat:
    """Return the entries of a tensor, flat, in the numpy dtype of its dtype.

    Besides what it returns and what it was given, it takes a few MiB.

    Args:
        tensor: as the layout says, which has passed ``check_layout``.
        parts: content by name.

    Raises:
        PackedFormatError: the parts contradict the layout.
    """
    values = tensor.values or RAW
    flat = np.zeros(tensor.num_entries, DTYPES[tensor.dtype])
    begin = num_nonzero = num_kept = 0
    for places, count in _places(tensor, parts):
        stored = _stored_values(tensor, parts, slice(begin, begin + count))
        flat[places] = _widened(stored, values)
        begin += count
        num_nonzero += count_nonzero(stored, values, tensor.dtype)
        num_kept += int(np.count_nonzero(has_bits(stored)))
    if values == INT8 and begin:
        _scale_(flat.reshape(tensor.num_channels, -1), tensor, parts)
    _check_found(tensor, num_nonzero, num_kept)
    return flat


def count_nonzero(flat: Flat, values: str, dtype: str) -> int:
    """Count what is not zero, neither 0.0 nor -0.0; arguments are those of ``encode_all``."""
    magnitude = _MAGNITUDES.get(dtype if values == RAW else values)
    return int(np.count_nonzero(flat if magnitude is None else flat & magnitude))


def has_bits(flat: Flat) -> NDArray[np.bool_]:
    """Mark the values that are not all zero bits: those to keep."""
    words = flat.view(f"<u{min(flat.itemsize, _WORD_BYTES)}")
    if flat.itemsize > _WORD_BYTES:
        words = words[::2] | words[1::2]
    marks: NDArray[np.bool_] = words != 0
    return marks


def _stored(positions: str, num_stored: int, num_nonzero: int, parts: dict[str, bytes]) -> Stored:
    compressed = {name: compress(content) for name, content in parts.items()}
    stated = tuple(
        Part(name=name, codec=codec, size_bytes=len(parts[name]), stored_bytes=len(piece))
        for name, (codec, piece) in compressed.items()
    )
    pieces = tuple(piece for _, piece in compressed.values())
    return Stored(positions, num_stored, num_nonzero, stated, pieces)


def _value_parts(flat: Flat, values: str) -> dict[str, bytes]:
    return {DATA: flat.tobytes()} if values == RAW else encode_values(flat, values)


def _scale_parts(scales: Flat | None) -> dict[str, bytes]:
    return {} if scales is None else {SCALES: b"".join(encode_values(scales, FLOAT32).values())}


def _taken(flat: Flat, kept: NDArray[np.bool_], num_kept: int) -> Flat:
    """Return ``flat[kept]``; by blocks, whose indices stay in a core's cache: in half the time."""
    taken = np.empty(num_kept, flat.dtype)
    end = 0
    for at in range(0, flat.size, _BLOCK):
        indices = np.flatnonzero(kept[at : at + _BLOCK])
        begin, end = end, end + indices.size
        np.take(flat[at : at + _BLOCK], indices, out=taken[begin:end])
    return taken


def _places(
    tensor: PackedTensor, parts: Mapping[str, Content]
) -> Iterator[tuple[slice | NDArray[np.intp], int]]:
    """Yield where the next stored values belong, block by block, and how many they are."""
    if tensor.positions == NOTHING:
        return
    if tensor.positions == ALL:
        for begin in range(0, tensor.num_entries, _BLOCK):
            count = min(_BLOCK, tensor.num_entries - begin)
            yield slice(begin, begin + count), count
        return
    positions = {name: parts[name] for name in POSITION_PARTS[tensor.positions]}
    blocks = decode_positions(tensor.positions, positions, tensor.num_entries, tensor.num_stored)
    for indices in blocks:
        yield indices, indices.size


def _stored_values(tensor: PackedTensor, parts: Mapping[str, Content], between: slice) -> Flat:
    if tensor.values is None or tensor.values == RAW:
        stored = np.frombuffer(parts[DATA], DTYPES[tensor.dtype])[between]
        if tensor.dtype == "bool" and np.any(stored.view(np.uint8) > 1):
            raise PackedFormatError(f"tensor {tensor.name!r} must hold the bytes 0 and 1.")
        return stored
    planes = {name: parts[name] for name in VALUE_PARTS[tensor.values]}
    return decode_values(tensor.values, planes, tensor.num_stored, between)


def _widened(stored: Flat, values: str) -> Flat:
    """Return values of a kind as they are assigned to float32."""
    if values == _BFLOAT16:
        return (stored.astype("<u4") << 16).view("<f4")
    return stored


def _scale_(rows: Flat, tensor: PackedTensor, parts: Mapping[str, Content]) -> None:
    """Multiply the codes of each channel, a row, by its scale."""
    planes, begin = {}, 0
    for name, size in sizes_of_values(FLOAT32, tensor.num_channels).items():
        planes[name] = memoryview(parts[SCALES])[begin : begin + size]
        begin += size
    scales = decode_values(FLOAT32, planes, tensor.num_channels)
    if not np.all(np.isfinite(scales) & (scales > 0)):
        raise PackedFormatError(f"scales of tensor {tensor.name!r} must be finite and above 0.")
    try:
        with np.errstate(over="raise"):
            rows *= scales[:, None]
    except FloatingPointError as error:
        raise PackedFormatError(
            f"scales of tensor {tensor.name!r} must leave its weights finite."
        ) from error


def _check_found(tensor: PackedTensor, num_nonzero: int, num_kept: int) -> None:
    if tensor.num_nonzero is None:
        return
    if num_nonzero != tensor.num_nonzero:
        raise PackedFormatError(
            f"tensor {tensor.name!r} must have {tensor.num_nonzero} values that are not zero, "
            f"got {num_nonzero}."
        )
    if tensor.positions != ALL and num_kept != tensor.num_stored:
        raise PackedFormatError(
            f"tensor {tensor.name!r} must keep {tensor.num_stored} values with a bit set, "
            f"got {num_kept}."
        )
