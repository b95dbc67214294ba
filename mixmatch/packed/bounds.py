"""Order-0 bounds of what a packed file keeps of its prunable weights: what a coder could reach."""

from collections.abc import Iterator
from dataclasses import dataclass

from mixmatch.packed import version1
from mixmatch.packed.codec import Flat, has_bits
from mixmatch.packed.entropy import mask_bound_bits, values_bound_bits
from mixmatch.packed.layout import FLOAT32, NOTHING, PackedTensor
from mixmatch.packed.opened import OpenFile
from mixmatch.packed.values import VALUE_PARTS, decode_values


@dataclass(frozen=True, slots=True)
class EntropyBounds:
    """Order-0 entropies, summed over the prunable float32 weights of a file.

    Attributes:
        masks_bits: of which weights are kept: n * H(k / n) of each tensor.
        values_bits: of the kept values: of int8 codes; of floats their signs and exponents, and
            all bits of their mantissas.
    """

    masks_bits: float
    values_bits: float


def entropy_bounds(packed: OpenFile) -> EntropyBounds:
    """Measure the bounds of an open packed file, unpacking one tensor at a time.

    Raises:
        PackedFormatError: what is stored contradicts the header.
    """
    masks_bits = values_bits = 0.0
    for tensor, kept in _kept_values(packed):
        masks_bits += mask_bound_bits(tensor.num_entries, kept.size)
        values_bits += values_bound_bits(kept, tensor.values or FLOAT32)
    return EntropyBounds(masks_bits, values_bits)


def _kept_values(packed: OpenFile) -> Iterator[tuple[PackedTensor, Flat]]:
    if packed.header.version == version1.VERSION:
        for tensor, flat in packed.flat_tensors():
            if _is_weight(tensor):
                yield tensor, flat[has_bits(flat)]
        return
    for tensor in filter(_is_weight, packed.header.tensors):
        kind = tensor.values or FLOAT32
        contents = packed.contents(tensor)
        parts = {name: contents[name] for name in VALUE_PARTS[kind]}
        values = decode_values(kind, parts, tensor.num_stored)
        yield tensor, values[has_bits(values)]


def _is_weight(tensor: PackedTensor) -> bool:
    return (
        tensor.num_nonzero is not None
        and tensor.dtype == FLOAT32
        and tensor.values in VALUE_PARTS
        and tensor.positions != NOTHING
    )
