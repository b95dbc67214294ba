"""What a packed file holds, told by its header: nothing is unpacked, no network is built.

The records are the JSON that ``mixmatch inspect --json`` prints and other programs rely on: keys
may be added, never renamed or removed. Needs no torch, which takes seconds to load.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from safetensors import safe_open

from mixmatch.packed_file import read_frame, read_header
from mixmatch.packed_layout import DTYPES, PackedTensor
from mixmatch.records import ModelSpec, Record


class TensorSummary(Record):
    """One tensor as it is stored.

    Attributes:
        name: its key in the state dict.
        shape: sizes of its dimensions; empty for a scalar.
        dtype: of its values once unpacked.
        encoding: how it is stored.
        num_entries: the product of ``shape``.
        num_nonzero: weights that are kept, as the layout states; None for what is not prunable.
        sparsity: fraction of its weights that are zero, 0 where it has none; None likewise.
        bytes: on disk, by part of the encoding.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    encoding: str
    num_entries: int
    num_nonzero: int | None
    sparsity: float | None
    bytes: dict[str, int]

    @classmethod
    def of(cls, tensor: PackedTensor, stored_bytes: Mapping[str, int]) -> "TensorSummary":
        """Sum up one entry of the layout; ``stored_bytes`` is the length of each chunk by key."""
        kept = tensor.num_nonzero
        return cls(
            name=tensor.name,
            shape=tensor.shape,
            dtype=tensor.dtype,
            encoding=tensor.encoding,
            num_entries=tensor.num_entries,
            num_nonzero=kept,
            sparsity=None if kept is None else _sparsity(kept, tensor.num_entries),
            bytes={part: stored_bytes[key] for part, key in tensor.chunk_keys().items()},
        )


class KindSummary(Record):
    """All tensors of one kind.

    Attributes:
        prunable: whether they are prunable weights.
        dtype: of their values once unpacked.
        encoding: how they are stored.
        num_tensors: how many they are.
        num_entries: entries of all of them.
        bytes: all of them on disk.
    """

    prunable: bool
    dtype: str
    encoding: str
    num_tensors: int
    num_entries: int
    bytes: int


class SizesOnDisk(Record):
    """Bytes of a packed file by what they hold; their sum is its length.

    Attributes:
        masks: which weights are kept.
        exponents: of float values, kept and dense.
        mantissas: of the same values, with their signs.
        rest: chunks of all other parts.
        header: names, shapes, specification, digest, padding.
    """

    masks: int
    exponents: int
    mantissas: int
    rest: int
    header: int


class PackedSummary(Record):
    """What ``mixmatch inspect --json`` prints.

    Attributes:
        file: the file.
        version: of the packed format.
        digest: SHA-256 that the file states for its content.
        verified: whether the stored bytes were read and have that digest.
        spec: how to build the network and to feed it.
        num_weights: prunable weights.
        num_nonzero: those that are kept.
        sparsity: fraction of the prunable weights that are zero.
        bytes: length of the file.
        dense_bytes: the tensors alone as plain float32 and integers.
        bytes_by_part: ``bytes``, split.
        kinds: tensors by kind, the prunable ones first.
        tensors: in the order of the state dict.
    """

    file: str
    version: str
    digest: str
    verified: bool
    spec: ModelSpec
    num_weights: int
    num_nonzero: int
    sparsity: float
    bytes: int
    dense_bytes: int
    bytes_by_part: SizesOnDisk
    kinds: tuple[KindSummary, ...]
    tensors: tuple[TensorSummary, ...]


def inspect_packed(path: Path, *, header_only: bool = False) -> PackedSummary:
    """Say what a packed file holds.

    What its header claims is checked against itself, and its stored bytes against the digest. That
    finds damage, not forgery: only ``read_packed`` compares masks and values with the counts.

    Args:
        path: the file.
        header_only: leave the stored bytes unread, and the digest unchecked.

    Raises:
        PackedFormatError: the file is missing, damaged, contradicts itself, or is of another
            version.
    """
    header = read_header(path) if header_only else read_frame(path)[0]
    version, stored_bytes = _stored(path)
    tensors = tuple(TensorSummary.of(tensor, stored_bytes) for tensor in header.tensors)
    num_weights = sum(x.num_entries for x in tensors if x.num_nonzero is not None)
    num_nonzero = sum(x.num_nonzero or 0 for x in tensors)
    return PackedSummary(
        file=str(path),
        version=version,
        digest=header.digest,
        verified=not header_only,
        spec=header.spec,
        num_weights=num_weights,
        num_nonzero=num_nonzero,
        sparsity=_sparsity(num_nonzero, num_weights),
        bytes=path.stat().st_size,
        dense_bytes=sum(tensor.num_entries * _entry_bytes(tensor) for tensor in tensors),
        bytes_by_part=_sizes(tensors, path.stat().st_size),
        kinds=_kinds(tensors),
        tensors=tensors,
    )


def _stored(path: Path) -> tuple[str, dict[str, int]]:
    """Return the format's version and the stored length of each chunk, of a file that was read."""
    with safe_open(path, framework="np") as file:
        lengths = {key: math.prod(file.get_slice(key).get_shape()) for key in sorted(file.keys())}
        return file.metadata()["version"], lengths


def _sparsity(num_nonzero: int, num_entries: int) -> float:
    return (num_entries - num_nonzero) / num_entries if num_entries else 0.0


def _entry_bytes(tensor: TensorSummary) -> int:
    return int(DTYPES[tensor.dtype][-1])


def _sizes(tensors: Iterable[TensorSummary], file_bytes: int) -> SizesOnDisk:
    by_part: Counter[str] = Counter()
    for tensor in tensors:
        by_part.update(tensor.bytes)
    chunks = by_part.total()
    masks, exponents, mantissas = (
        by_part.pop(part, 0) for part in ("mask", "exponents", "mantissas")
    )
    return SizesOnDisk(
        masks=masks,
        exponents=exponents,
        mantissas=mantissas,
        rest=by_part.total(),
        header=file_bytes - chunks,
    )


def _kinds(tensors: Iterable[TensorSummary]) -> tuple[KindSummary, ...]:
    groups: dict[tuple[bool, str, str], list[TensorSummary]] = {}
    for tensor in tensors:
        kind = (tensor.num_nonzero is not None, tensor.dtype, tensor.encoding)
        groups.setdefault(kind, []).append(tensor)
    prunable_first = sorted(groups.items(), key=lambda item: not item[0][0])
    return tuple(
        KindSummary(
            prunable=prunable,
            dtype=dtype,
            encoding=encoding,
            num_tensors=len(group),
            num_entries=sum(tensor.num_entries for tensor in group),
            bytes=sum(sum(tensor.bytes.values()) for tensor in group),
        )
        for (prunable, dtype, encoding), group in prunable_first
    )
