"""The frame of a packed file: safetensors with the header in its metadata and chunks as uint8."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open

from mixmatch.digests import canonical_json
from mixmatch.errors import PackedFormatError
from mixmatch.packed_layout import PackedHeader, PackedTensor, check_layout
from mixmatch.records import ModelSpec

FORMAT = "mixmatch-packed"
VERSION = "1"

_ALIGNMENT = 8
_LENGTH_BYTES = 8
_METADATA = ("format", "version", "spec", "layout", "sha256")
_SPEC = TypeAdapter(ModelSpec)
_TENSORS = TypeAdapter(tuple[PackedTensor, ...])


def write_frame(
    path: Path, spec: ModelSpec, tensors: Mapping[str, tuple[PackedTensor, list[bytes]]]
) -> None:
    """Write a packed file; equal content gives equal bytes.

    Not by the safetensors library, which writes metadata in an order that changes from run to run.
    """
    entries = [entry for entry, _ in tensors.values()]
    chunks = [chunk for _, stored in tensors.values() for chunk in stored]
    # Left out of the spec of a known name, whose code is timm's or ours.
    unsaid = {"code_digest"} if spec.code_digest is None else None
    spec_json = canonical_json(spec.model_dump(mode="json", exclude=unsaid))
    layout_json = canonical_json([entry.model_dump(mode="json") for entry in entries])
    metadata = {
        "format": FORMAT,
        "version": VERSION,
        "spec": spec_json,
        "layout": layout_json,
        "sha256": _digest(spec_json, layout_json, chunks),
    }
    header: dict[str, object] = {"__metadata__": metadata}
    end = 0
    keys = (key for entry in entries for key in entry.chunk_keys().values())
    for key, chunk in zip(keys, chunks, strict=True):
        header[key] = {
            "dtype": "U8",
            "shape": [len(chunk)],
            "data_offsets": [end, end + len(chunk)],
        }
        end += len(chunk)
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    with path.open("wb") as file:
        file.writelines([len(text).to_bytes(_LENGTH_BYTES, "little"), text, *chunks])


def read_header(path: Path) -> PackedHeader:
    """Read what a packed file says about itself; its chunks are neither read nor checked.

    Raises:
        PackedFormatError: the file is missing, is no packed file of version 1, or its header is
            damaged or contradicts itself.
    """
    header, _ = _read(path, with_chunks=False)
    return header


def read_frame(path: Path) -> tuple[PackedHeader, dict[str, bytes]]:
    """Read the header and the stored chunks by key, and check them against the file's digest.

    Raises:
        PackedFormatError: as ``read_header``, or a chunk is missing, unexpected or damaged.
    """
    return _read(path, with_chunks=True)


def _read(path: Path, *, with_chunks: bool) -> tuple[PackedHeader, dict[str, bytes]]:
    if not path.is_file():
        raise PackedFormatError(f"a packed network must be an existing file, got {path}.")
    try:
        with safe_open(path, framework="np") as file:
            metadata = _checked_metadata(file.metadata())
            header = _parse(metadata)
            keys = [key for tensor in header.tensors for key in tensor.chunk_keys().values()]
            if sorted(keys) != sorted(file.keys()):
                raise PackedFormatError("its chunks must be those of its layout.")
            if any(file.get_slice(key).get_dtype() != "U8" for key in keys):
                raise PackedFormatError("its chunks must be bytes (U8).")
            chunks = {key: file.get_tensor(key).tobytes() for key in keys if with_chunks}
    except (SafetensorError, OSError) as error:
        raise PackedFormatError(f"{path} is damaged, or no packed network: {error}.") from error
    except PackedFormatError as error:
        raise PackedFormatError(f"{path} cannot be read as a packed network: {error}") from error
    if with_chunks:
        found = _digest(metadata["spec"], metadata["layout"], chunks.values())
        if found != header.digest:
            raise PackedFormatError(
                f"{path} is damaged: its content must have the digest {header.digest}, got {found}."
            )
    return header, chunks


def _checked_metadata(metadata: dict[str, str] | None) -> dict[str, str]:
    found = metadata or {}
    if found.get("format") != FORMAT:
        raise PackedFormatError(
            f"its format must be {FORMAT}, got {found.get('format')!r}; it may hold plain weights."
        )
    if found.get("version") != VERSION:
        raise PackedFormatError(
            f"its version must be {VERSION}, got {found.get('version')!r}; "
            "a newer mixmatch may read it."
        )
    if sorted(found) != sorted(_METADATA):
        raise PackedFormatError(f"its metadata must be {sorted(_METADATA)}, got {sorted(found)}.")
    return found


def _parse(metadata: Mapping[str, str]) -> PackedHeader:
    try:
        spec = _SPEC.validate_json(metadata["spec"])
        tensors = _TENSORS.validate_json(metadata["layout"], strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "JSON"
        raise PackedFormatError(f"its header is damaged at {place}: {first['msg']}.") from error
    check_layout(tensors)
    return PackedHeader(spec=spec, tensors=tensors, digest=metadata["sha256"])


def _digest(spec_json: str, layout_json: str, chunks: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for piece in (*(x.encode() for x in (FORMAT, VERSION, spec_json, layout_json)), *chunks):
        # With its length before it, no byte can move from one piece to the next unseen.
        digest.update(len(piece).to_bytes(_LENGTH_BYTES, "little"))
        digest.update(piece)
    return digest.hexdigest()
