"""Write a pruned network as a packed file, version 2."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mixmatch.errors import ConfigError, PackedFormatError
from mixmatch.layers import prunable_layers, weight_of
from mixmatch.packed.codec import Stored, encode_all, encode_kept
from mixmatch.packed.frame import write_frame
from mixmatch.packed.header import LAYOUT_BLOCK, block_name, check_spec, metadata_of, packed_layout
from mixmatch.packed.layout import (
    ALL,
    DTYPES,
    FLOAT32,
    INT8,
    NOTHING,
    RAW,
    Layout,
    PackedGroup,
    PackedTensor,
)
from mixmatch.packed.rules import check_layout
from mixmatch.quantization import VALUE_KINDS, quantize, round_weight
from mixmatch.records import ModelSpec

# What is not prunable and smaller is joined with its like: each alone would cost more bytes.
_SMALL_BYTES = 2**16

Flat = NDArray[Any]


@dataclass(frozen=True, slots=True)
class _Weight:
    """A prunable weight as it is stored.

    Attributes:
        entries: its values in order.
        kind: how they are stored.
        scales: of int8 values, one per channel.
    """

    entries: Flat
    kind: str
    scales: Flat | None = None


def save_packed(path: Path, model: nn.Module, spec: ModelSpec, *, values: str = FLOAT32) -> None:
    """Write ``model``, which ``spec`` describes, to ``path``; equal networks give equal bytes.

    Nothing is written if an error is raised for what the network holds. All but the prunable
    weights keeps every bit.

    Args:
        path: the file.
        model: on any device.
        spec: how to build it and to feed it.
        values: how to store prunable weights: float32 keeps every bit; bfloat16, float16 and int8
            (with a scale per output channel) round, see ``mixmatch.quantization``.

    Raises:
        ConfigError: ``values`` is unknown.
        PackedFormatError: a tensor is of a dtype that a file cannot hold; or ``values`` is not
            float32, and a prunable weight is not float32, or is NaN, infinite or too large.
        LayerError: the model has no prunable layer.
    """
    save_packed_state(path, model.state_dict(), spec, _prunable_names(model), values=values)


def save_packed_state(
    path: Path,
    state: Mapping[str, Tensor],
    spec: ModelSpec,
    prunable_names: Collection[str],
    *,
    values: str = FLOAT32,
) -> None:
    """Write the state dict of a network to ``path``; see ``save_packed``.

    Args:
        path: the file.
        state: tensors by name.
        spec: how to build the network and to feed it.
        prunable_names: names in ``state`` of the weights that may be pruned.
        values: how to store them.

    Raises:
        ConfigError: ``values`` is unknown.
        PackedFormatError: as ``save_packed``, or a name is not in ``state``.
    """
    if values not in VALUE_KINDS:
        raise ConfigError(f"values must be one of {', '.join(VALUE_KINDS)}, got {values!r}.")
    if unknown := sorted(set(prunable_names) - set(state)):
        raise PackedFormatError(f"prunable weights must be in the state, got {unknown}.")
    tensors: list[PackedTensor] = []
    blocks: dict[str, tuple[bytes, ...]] = {}
    small: dict[str, list[Flat]] = {}
    for name, tensor in state.items():
        entry = _entry(name, tensor)
        if name in prunable_names:
            entry, pieces = _prunable(entry, tensor, values)
        elif _size_bytes(tensor) >= _SMALL_BYTES:
            entry, pieces = _whole(entry, _flat(tensor, entry.dtype))
        else:
            pieces = ()
            small.setdefault(entry.dtype, []).append(_flat(tensor, entry.dtype))
        tensors.append(entry)
        if pieces:
            blocks[block_name(entry)] = pieces
    groups, group_blocks = _joined(small)
    layout = Layout(tensors=tuple(tensors), groups=groups)
    blocks = {LAYOUT_BLOCK: (packed_layout(layout),)} | group_blocks | blocks
    # What a reader would refuse is not written.
    check_spec(spec)
    check_layout(layout, values, sum(len(piece) for block in blocks.values() for piece in block))
    write_frame(path, metadata_of(spec, values), blocks)


def _prunable_names(model: nn.Module) -> set[str]:
    """Name the prunable weights as the state dict does; a shared one under each of its names."""
    weights = {id(weight_of(model, layer.name)) for layer in prunable_layers(model)}
    parameters = model.named_parameters(remove_duplicate=False)
    return {name for name, parameter in parameters if id(parameter) in weights}


def _entry(name: str, tensor: Tensor) -> PackedTensor:
    dtype = str(tensor.dtype).removeprefix("torch.")
    if dtype not in DTYPES or tensor.layout != torch.strided:
        raise PackedFormatError(
            f"tensor {name} must be dense and one of {', '.join(DTYPES)} to be packed, "
            f"got {dtype} ({str(tensor.layout).removeprefix('torch.')})."
        )
    return PackedTensor(name=name, shape=tuple(tensor.shape), dtype=dtype)


def _flat(tensor: Tensor, dtype: str) -> Flat:
    """Return the values in order, not copied where they lie so already on the CPU."""
    flat = tensor.detach().cpu().contiguous().flatten()
    if flat.stride() != (1,):  # of one entry or none, which counts as contiguous with any stride
        flat = flat.clone(memory_format=torch.contiguous_format)
    # By bytes, because numpy lacks some of torch's dtypes.
    entries: Flat = flat.view(torch.uint8).numpy().view(DTYPES[dtype])
    return entries


def _prunable(
    entry: PackedTensor, tensor: Tensor, values: str
) -> tuple[PackedTensor, tuple[bytes, ...]]:
    weight = _weight(entry, tensor, values)
    stored = encode_kept(weight.entries, weight.kind, entry.dtype, weight.scales)
    differs = stored.positions not in {ALL, NOTHING} and stored.num_stored != stored.num_nonzero
    claims = {
        "positions": stored.positions,
        "values": weight.kind,
        "num_nonzero": stored.num_nonzero,
        "num_kept": stored.num_stored if differs else None,
        "parts": stored.parts,
    }
    return entry.model_copy(update=claims), stored.pieces


def _weight(entry: PackedTensor, tensor: Tensor, values: str) -> _Weight:
    if values == FLOAT32:
        kind = FLOAT32 if entry.dtype == FLOAT32 else RAW
        return _Weight(_flat(tensor, entry.dtype), kind)
    if entry.dtype != FLOAT32:
        raise PackedFormatError(
            f"tensor {entry.name} must be float32 to be packed with {values} values, "
            f"got {entry.dtype}."
        )
    if values == INT8:
        codes, scales = quantize(tensor, name=entry.name)
        return _Weight(_flat(codes, INT8), INT8, _flat(scales, FLOAT32))
    rounded = round_weight(tensor, values, name=entry.name).to(getattr(torch, values))
    return _Weight(_flat(rounded, values), values)


def _whole(entry: PackedTensor, flat: Flat) -> tuple[PackedTensor, tuple[bytes, ...]]:
    kind, stored = _smallest(flat, entry.dtype)
    return entry.model_copy(update={"values": kind, "parts": stored.parts}), stored.pieces


def _joined(
    small: Mapping[str, list[Flat]],
) -> tuple[tuple[PackedGroup, ...], dict[str, tuple[bytes, ...]]]:
    groups, blocks = [], {}
    for dtype in sorted(small):
        kind, stored = _smallest(np.concatenate(small[dtype]), dtype)
        group = PackedGroup(dtype=dtype, values=kind, parts=stored.parts)
        groups.append(group)
        blocks[block_name(group)] = stored.pieces
    return tuple(groups), blocks


def _smallest(flat: Flat, dtype: str) -> tuple[str, Stored]:
    """Store all of what is not prunable: raw, or as float32 values if these take fewer bytes."""
    kinds = (RAW, FLOAT32) if dtype == FLOAT32 else (RAW,)
    options = [(kind, encode_all(flat, kind, dtype)) for kind in kinds]
    return min(options, key=lambda option: option[1].size_bytes)


def _size_bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
