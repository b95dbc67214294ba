"""The rules that the layout of a packed file, version 2, must hold before anything is unpacked."""

import math
from collections.abc import Iterable, Mapping
from itertools import pairwise

from mixmatch.errors import PackedFormatError
from mixmatch.packed.compression import CODECS, NONE
from mixmatch.packed.layout import (
    ALL,
    DATA,
    DTYPES,
    FLOAT32,
    INT8,
    NOTHING,
    RAW,
    SCALES,
    Layout,
    PackedGroup,
    PackedTensor,
    Part,
)
from mixmatch.packed.positions import longest_parts
from mixmatch.packed.values import sizes_of_values

# 8 GiB of float32, and less for a small file: whatever it claims costs no more memory. A network
# of which a hundredth is left has 400 entries per byte, and one of 2**26 may be all zero.
_MOST_ENTRIES = 2**31
_ANY_ENTRIES, _ENTRIES_PER_BYTE = 2**26, 2**12
_MOST_DIMENSIONS = 16
_SCALE_BYTES = 4


def check_layout(layout: Layout, values: str, file_bytes: int) -> None:
    """Check every claim that can be checked without the parts.

    Args:
        layout: what a file claims.
        values: kind of the values of its prunable weights, as it states.
        file_bytes: its length.

    Raises:
        PackedFormatError: a name occurs twice, a dtype, encoding or codec is unknown, or shapes,
            counts and sizes contradict each other or exceed what the format allows.
    """
    check_shapes(layout.tensors, file_bytes)
    for tensor in layout.tensors:
        _check_counts(tensor)
        if tensor.values is None:
            _check_grouped(tensor)
        else:
            _check_values_of(tensor, tensor.values, values)
            _check_parts(f"tensor {tensor.name!r}", tensor.parts, part_sizes(tensor))
    grouped = sorted({tensor.dtype for tensor in layout.tensors if tensor.values is None})
    if (stated := [group.dtype for group in layout.groups]) != grouped:
        raise PackedFormatError(f"its groups must be {grouped}, got {stated}.")
    for group in layout.groups:
        _check_group(layout, group)


def check_shapes(tensors: tuple[PackedTensor, ...], file_bytes: int) -> None:
    """Check the names, dtypes and shapes of all tensors of a file of ``file_bytes``.

    Raises:
        PackedFormatError: a name occurs twice, a dtype is unknown, a shape is impossible, or all
            together have more entries than such a file may claim.
    """
    for name, following in pairwise(sorted(tensor.name for tensor in tensors)):
        if name == following:
            raise PackedFormatError(f"tensor {name!r} is listed twice.")
    for tensor in tensors:
        what = f"tensor {tensor.name!r}"
        _check_known("dtype", what, tensor.dtype, DTYPES)
        shape = list(tensor.shape)
        if len(shape) > _MOST_DIMENSIONS or any(not 0 <= x <= _MOST_ENTRIES for x in shape):
            raise PackedFormatError(f"shape of {what} is impossible: {shape}.")
    most = min(_MOST_ENTRIES, max(_ANY_ENTRIES, _ENTRIES_PER_BYTE * file_bytes))
    # An empty dimension makes others no smaller: int8 has a scale for each channel.
    if (total := sum(math.prod(x or 1 for x in tensor.shape) for tensor in tensors)) > most:
        raise PackedFormatError(
            f"its tensors may have {most} entries in a file of {file_bytes} bytes, got {total}."
        )


def part_sizes(tensor: PackedTensor) -> dict[str, range]:
    """Return by name the lengths in bytes that each part of ``tensor`` may have, in order.

    Raises:
        PackedFormatError: its positions are of an unknown kind, or its counts do not allow them.
    """
    values = tensor.values
    if values is None or tensor.positions == NOTHING:
        return {}
    sizes: dict[str, range] = {}
    if tensor.positions != ALL:
        longest = longest_parts(tensor.positions, tensor.num_entries, tensor.num_stored)
        sizes |= {name: range(most + 1) for name, most in longest.items()}
    if values == INT8:
        sizes[SCALES] = _exactly(_SCALE_BYTES * tensor.num_channels)
    return sizes | _value_sizes(values, tensor.dtype, tensor.num_stored)


def check_codec(what: str, part: Part, known: tuple[str, ...] = CODECS) -> None:
    """Check how ``part`` is stored; ``decompress`` checks what its bytes can give.

    Raises:
        PackedFormatError: the codec is unknown, or a length is impossible.
    """
    _check_known("codec", f"{part.name} of {what}", part.codec, known)
    same = part.size_bytes == part.stored_bytes
    if part.stored_bytes < 0 or (part.codec == NONE and not same):
        raise PackedFormatError(
            f"{part.name} of {what} cannot be {part.size_bytes} bytes: {part.stored_bytes} are "
            f"stored with codec {part.codec}."
        )


def _check_counts(tensor: PackedTensor) -> None:
    some = tensor.positions not in {ALL, NOTHING}
    if (some and tensor.num_nonzero is None) or (not some and tensor.num_kept is not None):
        raise PackedFormatError(
            f"tensor {tensor.name!r} must state num_nonzero where some of its entries are stored, "
            "and num_kept only there."
        )
    if tensor.num_nonzero is None:
        if tensor.positions != ALL:
            raise PackedFormatError(
                f"tensor {tensor.name!r} is not prunable, so all of it must be stored, got "
                f"positions {tensor.positions}."
            )
        return
    if not 0 <= tensor.num_nonzero <= tensor.num_stored <= tensor.num_entries:
        raise PackedFormatError(
            f"num_nonzero and the stored entries of tensor {tensor.name!r} must rise within "
            f"[0, {tensor.num_entries}], got {tensor.num_nonzero} and {tensor.num_stored}."
        )


def _check_grouped(tensor: PackedTensor) -> None:
    if tensor.parts or tensor.positions != ALL or tensor.num_nonzero is not None:
        raise PackedFormatError(
            f"tensor {tensor.name!r} is in the group of its dtype, so it must have neither parts "
            "nor counts of its own."
        )


def _check_values_of(tensor: PackedTensor, values: str, file_values: str) -> None:
    what = f"tensor {tensor.name!r}"
    if tensor.dtype == FLOAT32 and tensor.num_nonzero is not None:
        allowed: tuple[str, ...] = (file_values,)
    else:
        allowed = (FLOAT32, RAW) if tensor.dtype == FLOAT32 else (RAW,)
    _check_known("values", what, values, allowed)


def _check_group(layout: Layout, group: PackedGroup) -> None:
    what = f"the group of {group.dtype}"
    allowed = (FLOAT32, RAW) if group.dtype == FLOAT32 else (RAW,)
    _check_known("values", what, group.values, allowed)
    count = sum(tensor.num_entries for tensor in layout.members(group))
    _check_parts(what, group.parts, _value_sizes(group.values, group.dtype, count))


def _check_known(what: str, of: str, value: str, known: Iterable[str]) -> None:
    names = tuple(known)
    if value not in names:
        raise PackedFormatError(
            f"{what} of {of} must be one of {', '.join(names)}, got {value!r}; "
            "a newer mixmatch may know it."
        )


def _check_parts(what: str, parts: tuple[Part, ...], sizes: Mapping[str, range]) -> None:
    stated = [part.name for part in parts]
    if stated != list(sizes):
        raise PackedFormatError(f"parts of {what} must be {list(sizes)}, got {stated}.")
    for part in parts:
        allowed = sizes[part.name]
        if part.size_bytes not in allowed:
            raise PackedFormatError(
                f"{part.name} of {what} must have {_described(allowed)} bytes, "
                f"got {part.size_bytes}."
            )
        check_codec(what, part)


def _value_sizes(values: str, dtype: str, count: int) -> dict[str, range]:
    if values == RAW:
        return {DATA: _exactly(count * int(DTYPES[dtype][2:]))}
    return {name: _exactly(size) for name, size in sizes_of_values(values, count).items()}


def _exactly(count: int) -> range:
    return range(count, count + 1)


def _described(allowed: range) -> str:
    return f"{allowed.stop - 1}" if len(allowed) == 1 else f"at most {allowed.stop - 1}"
