"""The weights in an archive that torch.export.save wrote, read without building its program.

torch.export.load gives expressions of the archive to sympy, which evaluates them as Python, and
unpickles parts of it. Here only the list of the weights and their plain bytes are read.
"""

import math
import re
import struct
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import torch
from pydantic import Field, ValidationError
from torch import Tensor

from mixmatch.errors import CheckpointError
from mixmatch.records import Record
from mixmatch.stored_zip import check_stored

_LIST = re.compile(r"([^/]+)/data/weights/[^/]+_weights_config\.json")
# A hundred times that of a large network.
_LARGEST_LIST_BYTES = 2**24
# ScalarType of torch/_export/serde/schema.py; those that safetensors can hold, too.
_DTYPES: Mapping[int, torch.dtype] = MappingProxyType(
    {
        1: torch.uint8,
        2: torch.int8,
        3: torch.int16,
        4: torch.int32,
        5: torch.int64,
        6: torch.float16,
        7: torch.float32,
        8: torch.float64,
        10: torch.complex64,
        12: torch.bool,
        13: torch.bfloat16,
        28: torch.uint16,
        29: torch.float8_e4m3fn,
        30: torch.float8_e5m2,
        31: torch.float8_e4m3fnuz,
        32: torch.float8_e5m2fnuz,
        34: torch.uint32,
        35: torch.uint64,
    }
)
_MOST_DIMENSIONS = 16
_MOST_ENTRIES_OF_EMPTY = 2**31  # of a tensor that has none, were its sizes of 0 sizes of 1
# Names may share a record, and whoever saves the state copies it for each. One layer under twelve
# names, as in ALBERT, is the most that networks do.
_MOST_COPIES = 16
# What zipfile raises on bytes that are not what they say. RuntimeError: an unknown feature.
_DAMAGE = (
    *(zipfile.BadZipFile, struct.error, UnicodeDecodeError),
    *(EOFError, OSError, OverflowError, RuntimeError),
)


class _Integer(Record):
    # The other kind, as_expr, is a string that PyTorch would evaluate.
    as_int: int = Field(ge=0, lt=2**63)


class _Device(Record):
    type: str
    index: int | None


class _TensorMeta(Record):
    dtype: int
    sizes: tuple[_Integer, ...] = Field(max_length=_MOST_DIMENSIONS)
    requires_grad: bool
    device: _Device
    strides: tuple[_Integer, ...] = Field(max_length=_MOST_DIMENSIONS)
    storage_offset: _Integer
    layout: Literal[7]  # strided


class _Payload(Record):
    path_name: str = Field(pattern=r"^weight_\d+$")
    is_param: bool
    use_pickle: Literal[False]
    tensor_meta: _TensorMeta


class _WeightList(Record):
    config: dict[str, _Payload]


def read_exported(path: Path, *, source: str) -> dict[str, Tensor]:
    """Read the state dict of the network in a pt2 archive, onto the CPU.

    Those are its parameters and persistent buffers, as ``torch.export.load(path).state_dict`` has
    them. Names that shared one tensor share its memory.

    Args:
        path: what ``torch.export.save`` wrote, with one program.
        source: where it came from, for messages.

    Raises:
        CheckpointError: the archive is damaged or compressed, or its weights are anything but
            plain bytes with sizes, strides and offsets that are whole numbers and fit them.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            check_stored(archive, path, source=source)
            state = _state_in(archive, source)
    except _DAMAGE as error:
        raise CheckpointError(f"{source} must hold an intact pt2 archive: {error}.") from error
    size_bytes, most = sum(x.nbytes for x in state.values()), _MOST_COPIES * path.stat().st_size
    if size_bytes > most:
        raise CheckpointError(
            f"{source} must hold tensors of at most {most} bytes, {_MOST_COPIES} times those of "
            f"its archive, got {size_bytes}."
        )
    return state


def _state_in(archive: zipfile.ZipFile, source: str) -> dict[str, Tensor]:
    place = _place_of_list(archive, source)
    root = place.partition("/")[0]
    _check_byte_order(archive, root, source)
    records: dict[str, bytearray] = {}
    state = {}
    for name, payload in _listed(archive, place, source).config.items():
        part = f"{root}/data/weights/{payload.path_name}"
        if part not in records:
            records[part] = bytearray(_read(archive, part, source))
        state[name] = _view(payload.tensor_meta, records[part], f"{name!r} of {source}")
    return state


def _place_of_list(archive: zipfile.ZipFile, source: str) -> str:
    found = [name for name in archive.namelist() if _LIST.fullmatch(name)]
    if len(found) != 1:
        raise CheckpointError(
            f"{source} must hold the weights of one program as torch.export.save lists them, found "
            f"{len(found)} such lists; save it again, alone, with a current PyTorch."
        )
    return found[0]


def _listed(archive: zipfile.ZipFile, place: str, source: str) -> _WeightList:
    text = _read(archive, place, source, _LARGEST_LIST_BYTES)
    try:
        return _WeightList.model_validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "JSON"
        raise CheckpointError(
            f"{source} must list its weights as plain tensors of plain sizes, but {where!r} is "
            f"refused: {first['msg']}."
        ) from error


def _check_byte_order(archive: zipfile.ZipFile, root: str, source: str) -> None:
    order = _read(archive, f"{root}/byteorder", source).decode()
    if order != sys.byteorder:
        raise CheckpointError(
            f"{source} must hold weights in this machine's byte order, {sys.byteorder}, got "
            f"{order[:10]!r}."
        )


def _read(archive: zipfile.ZipFile, part: str, source: str, most_bytes: int = sys.maxsize) -> bytes:
    try:
        size_bytes = archive.getinfo(part).file_size
    except KeyError as error:
        raise CheckpointError(f"{source} must hold the part {part!r}; it is missing.") from error
    if size_bytes > most_bytes:
        raise CheckpointError(
            f"{part!r} of {source} must have at most {most_bytes} bytes, got {size_bytes}."
        )
    return archive.read(part)


def _view(meta: _TensorMeta, record: bytearray, what: str) -> Tensor:
    """See a record as the tensor that ``meta`` describes, without a copy."""
    dtype = _DTYPES.get(meta.dtype)
    if dtype is None:
        raise CheckpointError(
            f"{what} must have a dtype that safetensors holds, got number {meta.dtype} of PyTorch."
        )
    sizes = [size.as_int for size in meta.sizes]
    strides = [stride.as_int for stride in meta.strides]
    offset, num_held = meta.storage_offset.as_int, len(record) // dtype.itemsize
    if len(strides) != len(sizes) or not _fits(sizes, strides, offset, num_held):
        raise CheckpointError(
            f"{what} must lie within its record of {num_held} entries, got sizes {sizes}, strides "
            f"{strides} and offset {offset}."
        )
    if 0 in sizes:
        return torch.empty(sizes, dtype=dtype)
    return torch.frombuffer(record, dtype=dtype, count=num_held).as_strided(sizes, strides, offset)


def _fits(sizes: Sequence[int], strides: Sequence[int], offset: int, num_held: int) -> bool:
    """Say whether a tensor has no entry behind its record, and no more entries than that.

    With strides of 0 a record of one entry could be seen as any number of them.
    """
    if 0 in sizes:
        return math.prod(size or 1 for size in sizes) <= _MOST_ENTRIES_OF_EMPTY
    last = offset + sum((size - 1) * x for size, x in zip(sizes, strides, strict=True))
    return last < num_held and math.prod(sizes) <= num_held
