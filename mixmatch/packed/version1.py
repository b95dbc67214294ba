"""Files of version 1, which this package reads and no longer writes (docs/packed-format.md)."""

import hashlib
from collections.abc import Iterator, Mapping
from itertools import chain
from types import MappingProxyType
from typing import BinaryIO

import numpy as np
from pydantic import RootModel

from mixmatch.errors import PackedFormatError
from mixmatch.packed.codec import Flat
from mixmatch.packed.compression import NONE, ZSTD, decompress
from mixmatch.packed.frame import FORMAT, Frame
from mixmatch.packed.header import spec_of, validated
from mixmatch.packed.layout import (
    ALL,
    DATA,
    DTYPES,
    FLOAT32,
    RAW,
    Layout,
    PackedHeader,
    PackedTensor,
    Part,
)
from mixmatch.packed.positions import Content
from mixmatch.packed.rules import check_codec, check_shapes
from mixmatch.records import Record

VERSION = "1"
# Positions of what version 1 calls masked, and the part that holds them.
MASK = "mask"

_KEYS = ("format", "layout", "sha256", "spec", "version")
_LENGTH_BYTES = 8
_CODECS = (NONE, ZSTD)
_DTYPES = frozenset({FLOAT32, "int64", "int32", "int16", "int8", "uint8"})
# By the encodings of version 1: positions, values, and parts in the order of the digest.
_ENCODINGS: Mapping[str, tuple[str, str, tuple[str, ...]]] = MappingProxyType(
    {
        "masked": (MASK, FLOAT32, (MASK, "exponents", "mantissas")),
        "dense": (ALL, FLOAT32, ("exponents", "mantissas")),
        "raw": (ALL, RAW, (DATA,)),
    }
)


class _Chunk(Record):
    codec: str
    size_bytes: int


class _Tensor(Record):
    name: str
    shape: tuple[int, ...]
    dtype: str
    encoding: str
    num_nonzero: int | None
    chunks: dict[str, _Chunk]


class _Tensors(RootModel[tuple[_Tensor, ...]]):
    """The layout of a file."""


def header_of(frame: Frame) -> PackedHeader:
    """Read and check the header of a file, in the terms of version 2.

    Raises:
        PackedFormatError: it is damaged, or contradicts itself.
    """
    metadata = frame.metadata
    if sorted(metadata) != sorted(_KEYS):
        raise PackedFormatError(f"its metadata must be {sorted(_KEYS)}, got {sorted(metadata)}.")
    stated = validated(_Tensors, metadata["layout"], strict=True).root
    tensors = tuple(_tensor(entry, frame) for entry in stated)
    check_shapes(tensors, frame.size_bytes)
    for tensor in tensors:
        _check_sizes(tensor)
    keys = [f"{tensor.name}/{part.name}" for tensor in tensors for part in tensor.parts]
    if sorted(keys) != sorted(frame.blocks):
        raise PackedFormatError("its chunks must be those of its layout.")
    return PackedHeader(
        version=VERSION,
        values=FLOAT32,
        spec=spec_of(metadata["spec"]),
        layout=Layout(tensors=tensors),
        digest=metadata["sha256"],
    )


def content_digest(file: BinaryIO, frame: Frame, header: PackedHeader) -> str:
    """Return the SHA-256 of the metadata and the stored bytes of a file."""
    digest = hashlib.sha256()
    texts = (FORMAT, VERSION, frame.metadata["spec"], frame.metadata["layout"])
    names = (f"{tensor.name}/{part.name}" for tensor in header.tensors for part in tensor.parts)
    chunks = (_stored(file, frame, name) for name in names)
    for piece in chain((text.encode() for text in texts), chunks):
        # With its length before it, no byte can move from one piece to the next unseen.
        digest.update(len(piece).to_bytes(_LENGTH_BYTES, "little"))
        digest.update(piece)
    return digest.hexdigest()


def flat_tensors(
    file: BinaryIO, frame: Frame, header: PackedHeader
) -> Iterator[tuple[PackedTensor, Flat]]:
    """Yield each tensor with its flat values, unpacked one at a time.

    Raises:
        PackedFormatError: a chunk is damaged, or contradicts the header.
    """
    for tensor in header.tensors:
        parts = {
            part.name: decompress(
                part.codec,
                _stored(file, frame, f"{tensor.name}/{part.name}"),
                part.size_bytes,
                f"{part.name} of tensor {tensor.name!r}",
            )
            for part in tensor.parts
        }
        flat = _decode(tensor, parts)
        num_nonzero = tensor.num_nonzero
        if num_nonzero is not None and (found := int(np.count_nonzero(flat))) != num_nonzero:
            raise PackedFormatError(
                f"tensor {tensor.name!r} must have {num_nonzero} values that are not zero, "
                f"got {found}."
            )
        yield tensor, flat


def _stored(file: BinaryIO, frame: Frame, name: str) -> bytes:
    block = frame.blocks[name]
    file.seek(block.begin)
    return file.read(block.size_bytes)


def _tensor(entry: _Tensor, frame: Frame) -> PackedTensor:
    for what, value, known in (
        ("encoding", entry.encoding, _ENCODINGS),
        ("dtype", entry.dtype, _DTYPES),
    ):
        if value not in known:
            raise PackedFormatError(
                f"{what} of tensor {entry.name!r} must be one of {', '.join(sorted(known))}, "
                f"got {value!r}; a newer mixmatch may know it."
            )
    positions, values, names = _ENCODINGS[entry.encoding]
    keys = {name: f"{entry.name}/{name}" for name in names}
    if sorted(entry.chunks) != sorted(names) or not set(keys.values()) <= set(frame.blocks):
        raise PackedFormatError(
            f"chunks of tensor {entry.name!r} must be {', '.join(names)}, and be in the file."
        )
    parts = tuple(
        Part(
            name=name,
            codec=entry.chunks[name].codec,
            size_bytes=entry.chunks[name].size_bytes,
            stored_bytes=frame.blocks[keys[name]].size_bytes,
        )
        for name in names
    )
    return PackedTensor(
        name=entry.name,
        shape=entry.shape,
        dtype=entry.dtype,
        positions=positions,
        values=values,
        num_nonzero=entry.num_nonzero,
        parts=parts,
    )


def _check_sizes(tensor: PackedTensor) -> None:
    """Compare with what follows from shape, encoding and count, and the counts with each other."""
    count = tensor.num_entries
    if tensor.positions == MASK and tensor.num_nonzero is None:
        raise PackedFormatError(f"masked tensor {tensor.name!r} must state num_nonzero.")
    if tensor.num_nonzero is not None and not 0 <= tensor.num_nonzero <= count:
        raise PackedFormatError(
            f"num_nonzero of tensor {tensor.name!r} must lie in [0, {count}], "
            f"got {tensor.num_nonzero}."
        )
    if tensor.values == FLOAT32 and tensor.dtype != FLOAT32:
        raise PackedFormatError(
            f"tensor {tensor.name!r} must be float32 to be masked or dense, got {tensor.dtype}."
        )
    width = int(DTYPES[tensor.dtype][2:])
    num_stored = tensor.num_stored
    sizes = {MASK: -(-count // 8), "exponents": num_stored, "mantissas": 3 * num_stored}
    sizes[DATA] = width * count
    for part in tensor.parts:
        check_codec(f"tensor {tensor.name!r}", part, _CODECS)
        if part.size_bytes != sizes[part.name]:
            raise PackedFormatError(
                f"{part.name} of tensor {tensor.name!r} must have {sizes[part.name]} bytes, "
                f"got {part.size_bytes}."
            )


def _decode(tensor: PackedTensor, parts: Mapping[str, Content]) -> Flat:
    if tensor.values == RAW:
        return np.frombuffer(parts[DATA], DTYPES[tensor.dtype]).copy()
    values = _joined(parts["exponents"], parts["mantissas"])
    if tensor.positions == ALL:
        return values
    packed = np.frombuffer(parts[MASK], np.uint8)
    kept = np.unpackbits(packed, count=tensor.num_entries).view(np.bool_)
    num_kept = int(np.count_nonzero(kept))
    # All bits of the bytes are counted too: those after the last entry must be zero.
    if not num_kept == int(np.bitwise_count(packed).sum()) == values.size:
        raise PackedFormatError(
            f"mask of tensor {tensor.name!r} must keep {values.size} entries, got {num_kept}."
        )
    flat = np.zeros(tensor.num_entries, "<f4")
    flat[kept] = values
    return flat


def _joined(exponents: Content, mantissas: Content) -> Flat:
    """Join floats whose bits were rotated left by one, so that the exponent filled a byte."""
    planes = np.empty((4, len(exponents)), np.uint8)
    planes[3] = np.frombuffer(exponents, np.uint8)
    planes[:3] = np.frombuffer(mantissas, np.uint8).reshape(3, -1)
    bits = np.ascontiguousarray(planes.T).reshape(-1).view("<u4")
    return ((bits >> np.uint32(1)) | (bits << np.uint32(31))).view("<f4")
