"""What a packed file of version 1 says about its tensors, and the rules that must hold.

The format is described byte for byte in docs/packed-format.md.
"""

import math
from collections.abc import Mapping
from types import MappingProxyType

from mixmatch.errors import PackedFormatError
from mixmatch.records import ModelSpec, Record

MASKED, DENSE, RAW = "masked", "dense", "raw"
NONE, ZSTD = "none", "zstd"

# The chunks of each encoding, in the order in which they are written and digested.
PARTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        MASKED: ("mask", "exponents", "mantissas"),
        DENSE: ("exponents", "mantissas"),
        RAW: ("data",),
    }
)
# Little-endian numpy dtypes; encodings other than raw hold float32 only.
DTYPES: Mapping[str, str] = MappingProxyType(
    {
        "float32": "<f4",
        "int64": "<i8",
        "int32": "<i4",
        "int16": "<i2",
        "int8": "|i1",
        "uint8": "|u1",
    }
)

# 8 GiB of float32: a file may claim more than it holds, and must not cost memory by that.
_MOST_ENTRIES = 2**31
_MOST_DIMENSIONS = 16


class Chunk(Record):
    """One run of bytes.

    Attributes:
        codec: how it is stored: ``none`` or ``zstd``.
        size_bytes: its length once decompressed.
    """

    codec: str
    size_bytes: int


class PackedTensor(Record):
    """One tensor of the network's state.

    Attributes:
        name: its key in the state dict.
        shape: sizes of its dimensions; empty for a scalar.
        dtype: a key of ``DTYPES``.
        encoding: a key of ``PARTS``.
        num_nonzero: entries that are not zero, for a prunable weight; None for all others.
        chunks: by part, in the order of ``PARTS``.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    encoding: str
    num_nonzero: int | None
    chunks: dict[str, Chunk]

    @property
    def num_entries(self) -> int:
        """The product of ``shape``."""
        return math.prod(self.shape)

    def chunk_keys(self) -> dict[str, str]:
        """Return the safetensors key of each chunk, by part, in the order of ``PARTS``."""
        return {part: f"{self.name}/{part}" for part in PARTS[self.encoding]}


class PackedHeader(Record):
    """All that a packed file says about itself.

    Attributes:
        spec: how to build the network and to feed it.
        tensors: in the order of the state dict.
        digest: SHA-256 that the file states for its content, 64 hexadecimal characters.
    """

    spec: ModelSpec
    tensors: tuple[PackedTensor, ...]
    digest: str


def sizes_by_part(tensor: PackedTensor) -> dict[str, int]:
    """Return the length in bytes that each chunk must have once decompressed."""
    count = tensor.num_entries
    if tensor.encoding == RAW:
        return {"data": count * int(DTYPES[tensor.dtype][-1])}
    if tensor.encoding == DENSE:
        return {"exponents": count, "mantissas": 3 * count}
    num_kept = tensor.num_nonzero or 0
    return {"mask": -(-count // 8), "exponents": num_kept, "mantissas": 3 * num_kept}


def check_layout(tensors: tuple[PackedTensor, ...]) -> None:
    """Check every claim that can be checked without the chunks.

    Raises:
        PackedFormatError: a name occurs twice, a dtype, encoding or codec is unknown, or shapes,
            counts and sizes contradict each other or exceed what version 1 allows.
    """
    names: set[str] = set()
    for tensor in tensors:
        if tensor.name in names:
            raise PackedFormatError(f"tensor {tensor.name!r} is listed twice.")
        names.add(tensor.name)
        _check_kind(tensor)
        _check_counts(tensor)
    if (total := sum(tensor.num_entries for tensor in tensors)) > _MOST_ENTRIES:
        raise PackedFormatError(f"its tensors may hold {_MOST_ENTRIES} entries, got {total}.")


def _check_kind(tensor: PackedTensor) -> None:
    for what, value, known in (
        ("dtype", tensor.dtype, DTYPES),
        ("encoding", tensor.encoding, PARTS),
    ):
        if value not in known:
            raise PackedFormatError(
                f"{what} of tensor {tensor.name!r} must be one of {', '.join(known)}, "
                f"got {value!r}; a newer mixmatch may know it."
            )
    if tensor.encoding != RAW and tensor.dtype != "float32":
        raise PackedFormatError(
            f"encoding {tensor.encoding} of tensor {tensor.name!r} must hold float32, "
            f"got {tensor.dtype}."
        )
    for chunk in tensor.chunks.values():
        if chunk.codec not in (NONE, ZSTD):
            raise PackedFormatError(
                f"codec of tensor {tensor.name!r} must be {NONE} or {ZSTD}, got {chunk.codec!r}."
            )


def _check_counts(tensor: PackedTensor) -> None:
    shape = list(tensor.shape)
    if len(shape) > _MOST_DIMENSIONS or any(not 0 <= x <= _MOST_ENTRIES for x in shape):
        raise PackedFormatError(f"shape of tensor {tensor.name!r} is impossible: {shape}.")
    num_nonzero = tensor.num_nonzero
    if tensor.encoding == MASKED and num_nonzero is None:
        raise PackedFormatError(f"masked tensor {tensor.name!r} must state num_nonzero.")
    if num_nonzero is not None and not 0 <= num_nonzero <= tensor.num_entries:
        raise PackedFormatError(
            f"num_nonzero of tensor {tensor.name!r} must lie in [0, {tensor.num_entries}], "
            f"got {num_nonzero}."
        )
    stated = {part: chunk.size_bytes for part, chunk in tensor.chunks.items()}
    if stated != (expected := sizes_by_part(tensor)):
        raise PackedFormatError(
            f"chunks of tensor {tensor.name!r} must have the sizes {expected}, got {stated}."
        )
