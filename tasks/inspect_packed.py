"""What a packed file holds, told by its header: no network is built.

The records are the JSON that ``mixmatch inspect --json`` prints and other programs rely on: keys
may be added, never renamed or removed. Needs no torch, which takes seconds to load.
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from mixmatch.packed.bounds import entropy_bounds
from mixmatch.packed.layout import DTYPES, RAW, SCALES, PackedHeader, PackedTensor
from mixmatch.packed.opened import OpenFile, opened
from mixmatch.packed.positions import POSITION_PARTS
from mixmatch.packed.version1 import MASK
from mixmatch.records import ModelSpec, Record

# The encoding of a tensor that is stored with all small ones of its dtype.
GROUPED = "grouped"

_MASK_PARTS = frozenset({MASK, *(part for parts in POSITION_PARTS.values() for part in parts)})
_EXPONENT_PARTS = frozenset({"exponents", "high"})
_MANTISSA_PARTS = frozenset({"mantissas", "low"})


class TensorSummary(Record):
    """One tensor as it is stored.

    Attributes:
        name: its key in the state dict.
        shape: sizes of its dimensions; empty for a scalar.
        dtype: of its values once unpacked.
        encoding: which of its entries are stored, and how the file says so.
        values: how the values are stored; None for a grouped tensor.
        num_entries: the product of ``shape``.
        num_nonzero: weights that are kept, as the layout states; None for what is not prunable.
        sparsity: fraction of its weights that are zero, 0 where it has none; None likewise.
        bytes: on disk, by part; none for a grouped tensor.
        mask_bytes: of these, which entries are stored.
        scale_bytes: of these, the scales of int8 values.
        value_bytes: the others.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    encoding: str
    values: str | None
    num_entries: int
    num_nonzero: int | None
    sparsity: float | None
    bytes: dict[str, int]
    mask_bytes: int
    scale_bytes: int
    value_bytes: int

    @classmethod
    def of(cls, tensor: PackedTensor) -> "TensorSummary":
        """Sum up one entry of the layout."""
        kept = tensor.num_nonzero
        stored = {part.name: part.stored_bytes for part in tensor.parts}
        mask_bytes = sum(size for name, size in stored.items() if name in _MASK_PARTS)
        scale_bytes = stored.get(SCALES, 0)
        return cls(
            name=tensor.name,
            shape=tensor.shape,
            dtype=tensor.dtype,
            encoding=GROUPED if tensor.values is None else tensor.positions,
            values=tensor.values,
            num_entries=tensor.num_entries,
            num_nonzero=kept,
            sparsity=None if kept is None else _sparsity(kept, tensor.num_entries),
            bytes=stored,
            mask_bytes=mask_bytes,
            scale_bytes=scale_bytes,
            value_bytes=sum(stored.values()) - mask_bytes - scale_bytes,
        )


class KindSummary(Record):
    """All tensors of one kind.

    Attributes:
        prunable: whether they are prunable weights.
        dtype: of their values once unpacked.
        encoding: which of their entries are stored, and how the file says so.
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
        masks: which prunable weights are kept.
        exponents: of their values; of float16 values the higher bytes.
        mantissas: of their values, with the signs; of float16 values the lower bytes.
        codes: their values in int8.
        scales: of these codes, one per output channel.
        rest: all tensors that are not prunable, and prunable ones that are not float32.
        header: names, shapes, specification, digest, padding.
    """

    masks: int
    exponents: int
    mantissas: int
    codes: int
    scales: int
    rest: int
    header: int

    @property
    def values(self) -> int:
        """Bytes of the kept values, without scales."""
        return self.exponents + self.mantissas + self.codes


class EntropySummary(Record):
    """How near masks and values come to the order-0 entropy of what they say.

    Attributes:
        masks_bytes: the least for which weights are kept, n * H(k / n) of each.
        values_bytes: the least for the kept values: codes; or signs, exponents and whole mantissas.
        above: masks and values on disk, without scales, against both together, less 1: a fraction,
            below 0 where masks or values have a pattern.
    """

    masks_bytes: float
    values_bytes: float
    above: float


class PackedSummary(Record):
    """What ``mixmatch inspect --json`` prints.

    Attributes:
        file: the file.
        version: of the packed format.
        digest: SHA-256 that the file states for its content.
        verified: whether the stored bytes were read and have that digest.
        spec: how to build the network and to feed it.
        values: how the values of prunable weights are stored.
        num_weights: prunable weights.
        num_nonzero: those that are kept.
        sparsity: fraction of the prunable weights that are zero.
        bytes: length of the file.
        dense_bytes: the tensors alone as plain float32 and integers.
        bytes_by_part: ``bytes``, split.
        entropy: None where nothing was unpacked, or nothing is kept.
        kinds: tensors by kind, the prunable ones first.
        tensors: in the order of the state dict.
    """

    file: str
    version: str
    digest: str
    verified: bool
    spec: ModelSpec
    values: str
    num_weights: int
    num_nonzero: int
    sparsity: float
    bytes: int
    dense_bytes: int
    bytes_by_part: SizesOnDisk
    entropy: EntropySummary | None
    kinds: tuple[KindSummary, ...]
    tensors: tuple[TensorSummary, ...]


def inspect_packed(path: Path, *, header_only: bool = False) -> PackedSummary:
    """Say what a packed file holds.

    What its header claims is checked against itself, its stored bytes against the digest, and the
    values of its weights are counted for the entropy. That finds damage, not forgery: only
    ``read_packed`` compares all masks and values with the counts.

    Args:
        path: the file.
        header_only: leave the stored bytes unread, the digest unchecked and the entropy out.

    Raises:
        PackedFormatError: the file is missing, damaged, contradicts itself, or is of another
            version.
    """
    with opened(path, verify=not header_only) as packed:
        header = packed.header
        tensors = tuple(TensorSummary.of(tensor) for tensor in header.tensors)
        sizes = _sizes(tensors, packed)
        entropy = None if header_only else _entropy(packed, sizes)
    num_weights = sum(x.num_entries for x in tensors if x.num_nonzero is not None)
    num_nonzero = sum(x.num_nonzero or 0 for x in tensors)
    return PackedSummary(
        file=str(path),
        version=header.version,
        digest=header.digest,
        verified=not header_only,
        spec=header.spec,
        values=header.values,
        num_weights=num_weights,
        num_nonzero=num_nonzero,
        sparsity=_sparsity(num_nonzero, num_weights),
        bytes=packed.frame.size_bytes,
        dense_bytes=sum(tensor.num_entries * _entry_bytes(tensor) for tensor in tensors),
        bytes_by_part=sizes,
        entropy=entropy,
        kinds=_kinds(tensors, header),
        tensors=tensors,
    )


def _sparsity(num_nonzero: int, num_entries: int) -> float:
    return (num_entries - num_nonzero) / num_entries if num_entries else 0.0


def _entry_bytes(tensor: TensorSummary) -> int:
    return int(DTYPES[tensor.dtype][2:])


def _entropy(packed: OpenFile, sizes: SizesOnDisk) -> EntropySummary | None:
    bounds = entropy_bounds(packed)
    masks_bytes, values_bytes = bounds.masks_bits / 8, bounds.values_bits / 8
    if not (least := masks_bytes + values_bytes):
        return None
    above = (sizes.masks + sizes.values) / least - 1
    return EntropySummary(masks_bytes=masks_bytes, values_bytes=values_bytes, above=above)


def _sizes(tensors: Iterable[TensorSummary], packed: OpenFile) -> SizesOnDisk:
    by_part: Counter[str] = Counter()
    for tensor in tensors:
        if tensor.num_nonzero is not None and tensor.values != RAW:
            by_part.update(tensor.bytes)
    weights = by_part.total()
    layout = packed.header.layout
    parts_of = [*(x.parts for x in layout.groups), *(x.parts for x in layout.tensors)]
    stored = sum(part.stored_bytes for parts in parts_of for part in parts)
    masks, exponents, mantissas = (
        sum(by_part[part] for part in parts)
        for parts in (_MASK_PARTS, _EXPONENT_PARTS, _MANTISSA_PARTS)
    )
    return SizesOnDisk(
        masks=masks,
        exponents=exponents,
        mantissas=mantissas,
        codes=by_part["codes"],
        scales=by_part[SCALES],
        rest=stored - weights,
        header=packed.frame.size_bytes - stored,
    )


def _kinds(tensors: Iterable[TensorSummary], header: PackedHeader) -> tuple[KindSummary, ...]:
    grouped_bytes = {
        group.dtype: sum(part.stored_bytes for part in group.parts)
        for group in header.layout.groups
    }
    kinds: dict[tuple[bool, str, str], list[TensorSummary]] = {}
    for tensor in tensors:
        kind = (tensor.num_nonzero is not None, tensor.dtype, tensor.encoding)
        kinds.setdefault(kind, []).append(tensor)
    prunable_first = sorted(kinds.items(), key=lambda item: not item[0][0])
    return tuple(
        KindSummary(
            prunable=prunable,
            dtype=dtype,
            encoding=encoding,
            num_tensors=len(alike),
            num_entries=sum(tensor.num_entries for tensor in alike),
            bytes=grouped_bytes[dtype]
            if encoding == GROUPED
            else sum(sum(tensor.bytes.values()) for tensor in alike),
        )
        for (prunable, dtype, encoding), alike in prunable_first
    )
