"""What a packed file of version 2 says about itself, as metadata and a layout block."""

import math
from typing import BinaryIO, TypeVar

import zstandard
from pydantic import BaseModel, TypeAdapter, ValidationError

from mixmatch.digests import canonical_json
from mixmatch.errors import PackedFormatError
from mixmatch.packed.frame import VERSION, Frame
from mixmatch.packed.layout import Layout, PackedGroup, PackedHeader, PackedTensor, Part
from mixmatch.packed.rules import check_layout
from mixmatch.packed.values import VALUE_PARTS
from mixmatch.records import ModelSpec

LAYOUT_BLOCK = "layout"

_KEYS = ("format", "version", "sha256", "values", "spec")
# A hundred times that of a large network; its frame may claim anything.
_LARGEST_LAYOUT_BYTES = 2**24
_LAYOUT_LEVEL = 19  # a few KB, so that time does not count

_Model = TypeVar("_Model", bound=BaseModel)


def block_name(stored: PackedTensor | PackedGroup) -> str:
    """Name the block that holds the parts of a tensor or of a group."""
    if isinstance(stored, PackedGroup):
        return f"rest/{stored.dtype}"
    return f"tensor/{stored.name}"


def metadata_of(spec: ModelSpec, values: str) -> dict[str, str]:
    """Return the metadata that the writer adds to those of the frame."""
    # Left out of the spec of a known name, whose code is timm's or ours.
    unsaid = {"code_digest"} if spec.code_digest is None else None
    return {
        "values": values,
        "spec": canonical_json(spec.model_dump(mode="json", exclude=unsaid)),
    }


def packed_layout(layout: Layout) -> bytes:
    """Write the layout as its block; what has its default is left out."""
    text = canonical_json(layout.model_dump(mode="json", exclude_defaults=True))
    return zstandard.ZstdCompressor(level=_LAYOUT_LEVEL).compress(text.encode())


def header_of(file: BinaryIO, frame: Frame) -> PackedHeader:
    """Read and check the header of an open file; blocks but the layout are not read.

    Raises:
        PackedFormatError: it is damaged, or contradicts itself.
    """
    metadata = frame.metadata
    if sorted(metadata) != sorted(_KEYS):
        raise PackedFormatError(f"its metadata must be {sorted(_KEYS)}, got {sorted(metadata)}.")
    if metadata["values"] not in VALUE_PARTS:
        raise PackedFormatError(
            f"its values must be one of {', '.join(VALUE_PARTS)}, got {metadata['values']!r}; "
            "a newer mixmatch may know them."
        )
    header = PackedHeader(
        version=VERSION,
        values=metadata["values"],
        spec=spec_of(metadata["spec"]),
        layout=validated(Layout, _layout_text(file, frame), strict=True),
        digest=metadata["sha256"],
    )
    check_layout(header.layout, header.values, frame.size_bytes)
    _check_blocks(header, frame)
    return header


def spec_of(text: str) -> ModelSpec:
    """Read what is needed to build and feed a network.

    Raises:
        PackedFormatError: it is no such JSON text, or contradicts itself.
    """
    spec = validated(ModelSpec, text)
    check_spec(spec)
    return spec


def check_spec(spec: ModelSpec) -> None:
    """Check what is stated about the images and the classes of a network.

    Raises:
        PackedFormatError: no network can be fed by it.
    """
    channels = spec.image_shape[2]
    finite = all(map(math.isfinite, (*spec.mean, *spec.std))) and min(spec.std, default=0.0) > 0
    if not (len(spec.mean) == len(spec.std) == channels and finite):
        raise PackedFormatError(
            f"its mean and std must be {channels} finite numbers each, std above 0, got "
            f"{spec.mean} and {spec.std}."
        )
    if len(spec.classes) not in {0, spec.num_classes}:
        raise PackedFormatError(
            f"its classes must be {spec.num_classes} names or none, got {len(spec.classes)}."
        )


def validated(model: type[_Model], text: str, *, strict: bool = False) -> _Model:
    """Read a record from JSON that a file brought.

    Raises:
        PackedFormatError: it is no JSON text, or another record.
    """
    try:
        return TypeAdapter(model).validate_json(text, strict=strict)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "JSON"
        raise PackedFormatError(f"its header is damaged at {place}: {first['msg']}.") from error


def stored_blocks(layout: Layout) -> dict[str, tuple[Part, ...]]:
    """Return the parts of each block beside the layout's own, by name, in the order of the file."""
    stored: list[PackedTensor | PackedGroup] = [*layout.groups]
    stored += [tensor for tensor in layout.tensors if tensor.parts]
    return {block_name(x): x.parts for x in stored}


def _layout_text(file: BinaryIO, frame: Frame) -> str:
    if LAYOUT_BLOCK not in frame.blocks:
        raise PackedFormatError(f"its block {LAYOUT_BLOCK!r} is missing.")
    block = frame.blocks[LAYOUT_BLOCK]
    file.seek(block.begin)
    stored = file.read(block.size_bytes)
    try:
        # A frame's own claim would be believed before max_output_size, so it is checked first.
        size_bytes = zstandard.get_frame_parameters(stored).content_size
        if size_bytes > _LARGEST_LAYOUT_BYTES:
            raise PackedFormatError(
                f"its layout may have {_LARGEST_LAYOUT_BYTES} bytes, got a claim of {size_bytes}."
            )
        decompressor = zstandard.ZstdDecompressor()
        text = decompressor.decompress(stored, max_output_size=size_bytes, allow_extra_data=False)
        return text.decode()
    except zstandard.ZstdError as error:
        raise PackedFormatError(f"its layout cannot be decompressed: {error}.") from error
    except UnicodeDecodeError as error:
        raise PackedFormatError(f"its layout must be UTF-8 text: {error}.") from error


def _check_blocks(header: PackedHeader, frame: Frame) -> None:
    parts = stored_blocks(header.layout)
    if [LAYOUT_BLOCK, *parts] != list(frame.blocks):
        raise PackedFormatError("its blocks must be those of its layout, in its order.")
    for name, needed in parts.items():
        size_bytes = sum(part.stored_bytes for part in needed)
        if size_bytes != (found := frame.blocks[name].size_bytes):
            raise PackedFormatError(
                f"its block {name!r} must have {size_bytes} bytes, got {found}."
            )
