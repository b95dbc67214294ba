"""Pruned networks on disk: packed files, version 1 (docs/packed-format.md).

A valid safetensors file that holds a bitmask and the kept values of each pruned weight, and what
is needed to build the network. Reading one runs no code that the file brings.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from mixmatch.errors import ConfigError, PackedFormatError
from mixmatch.factories import Factory
from mixmatch.layers import prunable_layers, weight_of
from mixmatch.models import build_model, state_outline
from mixmatch.packed_codec import decode, encode
from mixmatch.packed_file import read_frame, read_header, write_frame
from mixmatch.packed_layout import PackedHeader
from mixmatch.records import ModelSpec

__all__ = ["PackedFile", "load_packed", "read_header", "read_packed", "save_packed"]


@dataclass(frozen=True, slots=True)
class PackedFile:
    """What a packed file holds.

    Attributes:
        spec: how to build the network and to feed it.
        state: its state dict, dense, on the CPU.
    """

    spec: ModelSpec
    state: dict[str, Tensor]


def save_packed(path: Path, model: nn.Module, spec: ModelSpec) -> None:
    """Write ``model``, which ``spec`` describes, to ``path``; equal networks give equal bytes.

    Nothing is written if an error is raised for what the network holds.

    Raises:
        PackedFormatError: a tensor is neither float32 nor integer, or holds NaN or infinity.
        LayerError: the model has no prunable layer.
    """
    prunable = _prunable_names(model)
    tensors = {
        name: encode(name, tensor, prunable=name in prunable)
        for name, tensor in model.state_dict().items()
    }
    write_frame(path, spec, tensors)


def read_packed(path: Path) -> PackedFile:
    """Read the spec and the dense state of a packed file; builds no network.

    Raises:
        PackedFormatError: the file is missing, damaged, contradicts itself, or is of another
            version.
    """
    header, chunks = read_frame(path)
    try:
        state = {
            tensor.name: decode(tensor, {p: chunks[k] for p, k in tensor.chunk_keys().items()})
            for tensor in header.tensors
        }
    except PackedFormatError as error:
        raise PackedFormatError(f"{path} cannot be read as a packed network: {error}") from error
    return PackedFile(header.spec, state)


def load_packed(path: Path, *, factory: Factory | None = None) -> nn.Module:
    """Build the network of a packed file, in eval mode on the CPU; random state is untouched.

    Before any tensor is unpacked, the file's shapes are compared with those of the architecture.

    Args:
        path: the file.
        factory: builds the network where the file names a user's own, ``package.module:factory``
            (see ``build_model``); such a name is never imported from a file.

    Raises:
        PackedFormatError: as ``read_packed``, or the file names a network that cannot be built or
            that has other tensors.
    """
    try:
        _check_fits(read_header(path), path, factory)
        packed = read_packed(path)
        with torch.random.fork_rng(devices=[]):
            model = build_model(packed.spec, factory=factory)
    except ConfigError as error:
        raise PackedFormatError(f"{path} names a network that cannot be built: {error}") from error
    model.load_state_dict(packed.state)
    return model.eval()


def _prunable_names(model: nn.Module) -> set[str]:
    """Name the prunable weights as the state dict does; a shared one under each of its names."""
    weights = {id(weight_of(model, layer.name)) for layer in prunable_layers(model)}
    parameters = model.named_parameters(remove_duplicate=False)
    return {name for name, parameter in parameters if id(parameter) in weights}


def _check_fits(header: PackedHeader, path: Path, factory: Factory | None) -> None:
    needed = {
        name: (tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))
        for name, tensor in state_outline(header.spec, factory=factory).items()
    }
    found = {tensor.name: (tensor.shape, tensor.dtype) for tensor in header.tensors}
    for name in [*needed, *found]:
        if found.get(name) != needed.get(name):
            raise PackedFormatError(
                f"{path} does not hold a {header.spec.architecture}: its tensor {name} must be "
                f"{_described(needed.get(name))}, got {_described(found.get(name))}."
            )


def _described(kind: tuple[tuple[int, ...], str] | None) -> str:
    return f"{kind[1]} of shape {list(kind[0])}" if kind else "absent"
