"""The frame of a packed file: safetensors, written and read strictly, with one digest over it all.

Not by the safetensors library: that writes metadata in an order that changes from run to run, and
maps a file into memory that this reads block by block.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

from mixmatch.errors import PackedFormatError

FORMAT = "mixmatch-packed"
VERSION = "2"

_METADATA = "__metadata__"
_BYTES = "U8"
_ALIGNMENT = 8
_LENGTH_BYTES = 8
_NO_DIGEST = b"0" * 64
# The digest stands at one place in every file, so that no other text can pass for it.
_BEFORE_DIGEST = f'{{"{_METADATA}":{{"format":"{FORMAT}","version":"{VERSION}","sha256":"'.encode()
_DIGEST_BEGIN = _LENGTH_BYTES + len(_BEFORE_DIGEST)
_DIGEST_END = _DIGEST_BEGIN + len(_NO_DIGEST)
_CHUNK_BYTES = 1 << 20
_LARGEST_HEADER_BYTES = 100_000_000  # as the safetensors library


@dataclass(frozen=True, slots=True)
class Block:
    """A run of bytes of the file under a name.

    Attributes:
        begin: place of its first byte in the file.
        size_bytes: its length.
        dtype: of safetensors; ``U8`` in a packed file.
    """

    begin: int
    size_bytes: int
    dtype: str


@dataclass(frozen=True, slots=True)
class Frame:
    """The header of a safetensors file.

    Attributes:
        metadata: texts by key.
        blocks: by name, in the order of the file; they follow each other to its end.
        size_bytes: length of the file.
    """

    metadata: Mapping[str, str]
    blocks: Mapping[str, Block]
    size_bytes: int


def write_frame(
    path: Path, metadata: Mapping[str, str], blocks: Mapping[str, Iterable[bytes]]
) -> None:
    """Write a file of blocks, each given in pieces; equal content gives equal bytes."""
    pieces = {name: list(block) for name, block in blocks.items()}
    stated = {"format": FORMAT, "version": VERSION, "sha256": _NO_DIGEST.decode(), **metadata}
    header: dict[str, object] = {_METADATA: stated}
    end = 0
    for name, block in pieces.items():
        begin, end = end, end + sum(map(len, block))
        header[name] = {"dtype": _BYTES, "shape": [end - begin], "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    content = [len(text).to_bytes(_LENGTH_BYTES, "little"), text]
    content += [piece for block in pieces.values() for piece in block]
    digest = hashlib.sha256()
    for piece in content:
        digest.update(piece)
    # What is there stays whole until the new file is.
    fresh = path.with_name(f".{path.name}-{uuid4().hex[:8]}")
    try:
        with fresh.open("xb") as file:
            file.writelines(content)
            file.seek(_DIGEST_BEGIN)
            file.write(digest.hexdigest().encode())
        os.replace(fresh, path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def read_frame(file: BinaryIO) -> Frame:
    """Read the header of an open safetensors file, of any version of the format.

    Raises:
        PackedFormatError: it is no safetensors file, was cut short or made longer.
    """
    file_bytes = file.seek(0, 2)
    file.seek(0)
    length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
    if not 0 < length <= min(file_bytes - _LENGTH_BYTES, _LARGEST_HEADER_BYTES):
        raise PackedFormatError(
            f"its header cannot have {length} bytes in a file of {file_bytes} bytes."
        )
    header = _parsed(file.read(length))
    metadata = header.pop(_METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(x, str) for x in metadata.values()):
        raise PackedFormatError("its metadata must be texts.")
    data_begin = _LENGTH_BYTES + length
    blocks = _blocks(header, data_begin, file_bytes - data_begin)
    return Frame(metadata, blocks, file_bytes)


def check_bytes(frame: Frame) -> None:
    """Check that all blocks are bytes.

    Raises:
        PackedFormatError: one is of another dtype.
    """
    for name, block in frame.blocks.items():
        if block.dtype != _BYTES:
            raise PackedFormatError(f"its block {name!r} must be bytes (U8), got {block.dtype}.")


def content_digest(file: BinaryIO) -> str:
    """Return the SHA-256 of all bytes of a file of version 2, the 64 of its own digest as zeros.

    Raises:
        PackedFormatError: its digest does not stand where it must.
    """
    file.seek(0)
    start = bytearray(file.read(_DIGEST_END))
    if start[_LENGTH_BYTES:_DIGEST_BEGIN] != _BEFORE_DIGEST:
        raise PackedFormatError(f"its header must begin with {_BEFORE_DIGEST.decode()}.")
    start[_DIGEST_BEGIN:] = _NO_DIGEST
    digest = hashlib.sha256(start)
    while chunk := file.read(_CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest()


def _parsed(text: bytes) -> dict[str, Any]:
    try:
        header = json.loads(text.decode(), object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise PackedFormatError("its header is no JSON text.") from error
    if not isinstance(header, dict):
        raise PackedFormatError("its header must be a JSON object.")
    return header


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _blocks(header: Mapping[str, object], data_begin: int, data_bytes: int) -> dict[str, Block]:
    stated = [(name, *_span(name, entry)) for name, entry in header.items()]
    blocks, end = {}, 0
    for name, begin, next_end, dtype in sorted(stated, key=lambda block: block[1:3]):
        if begin != end or next_end < begin:
            raise PackedFormatError(f"its block {name!r} must begin at {end}, got {begin}.")
        blocks[name] = Block(data_begin + begin, next_end - begin, dtype)
        end = next_end
    if end != data_bytes:
        wrong = "missing" if end > data_bytes else "too many"
        raise PackedFormatError(
            f"its blocks must end with the file, bytes {wrong}: {abs(end - data_bytes)}."
        )
    return blocks


def _span(name: str, entry: object) -> tuple[int, int, str]:
    """Return begin, end and dtype of a block."""
    match entry:
        case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [begin, end], **others}:
            sound = type(begin) is type(end) is int and not others
            if sound and (dtype != _BYTES or shape == [end - begin]):
                return begin, end, dtype
    raise PackedFormatError(
        f"its block {name!r} must have a dtype, and a shape and two offsets that fit."
    )
