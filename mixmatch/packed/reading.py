"""Read the tensors of a packed file; no network is built."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from mixmatch.packed.opened import OpenFile, opened
from mixmatch.records import ModelSpec


@dataclass(frozen=True, slots=True)
class PackedFile:
    """What a packed file holds.

    Attributes:
        spec: how to build the network and to feed it.
        state: its state dict, dense, on the CPU; prunable weights are float32 however their values
            are stored.
    """

    spec: ModelSpec
    state: dict[str, Tensor]


def read_packed(path: Path) -> PackedFile:
    """Read the spec and the dense state of a packed file; builds no network.

    Raises:
        PackedFormatError: the file is missing, damaged, contradicts itself, or is of another
            version.
    """
    with opened(path) as packed:
        found = dict(tensors_of(packed))
        state = {tensor.name: found[tensor.name] for tensor in packed.header.tensors}
    return PackedFile(packed.header.spec, state)


def tensors_of(packed: OpenFile) -> Iterator[tuple[str, Tensor]]:
    """Yield the name and the dense values of each tensor, one at a time, in the file's order.

    Raises:
        PackedFormatError: what is stored contradicts the header.
    """
    for entry, flat in packed.flat_tensors():
        dtype = getattr(torch, entry.dtype)
        # By bytes, because numpy lacks some of torch's dtypes.
        yield entry.name, torch.from_numpy(flat.view("u1")).view(dtype).reshape(entry.shape)
