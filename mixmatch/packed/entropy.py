"""How few bytes a coder that sees one symbol at a time can need: order-0 entropies, and estimates.

The bounds of one tensor that ``docs/packed-format.md`` compares files with.
"""

import heapq
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

# Bits of sign, exponent and mantissa; the bits of a mantissa are taken as incompressible.
_FLOAT_BITS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {"float32": (8, 23), "bfloat16": (8, 7), "float16": (5, 10)}
)
_SAMPLED_RUNS, _RUN_BYTES = 16, 2**14


def entropy_bits(counts: NDArray[np.integer]) -> float:
    """Return the entropy, in bits, of symbols that occur ``counts`` times: of all together."""
    occurring = counts[counts > 0].astype(np.float64)
    if not occurring.size:
        return 0.0
    return float((occurring * (np.log2(occurring.sum()) - np.log2(occurring))).sum())


def mask_bound_bits(num_entries: int, num_kept: int) -> float:
    """Return the entropy, in bits, of a mask that keeps k of n entries: n * H(k / n)."""
    return entropy_bits(np.array([num_kept, num_entries - num_kept]))


def values_bound_bits(values: NDArray[np.generic], kind: str) -> float:
    """Return the order-0 entropy, in bits, of kept values, given as ``encode_values`` takes them.

    Of int8 that of its codes; of floats that of signs, of exponents, and all bits of the mantissas.
    """
    if kind == "int8":
        return entropy_bits(np.bincount(values.view(np.uint8), minlength=256))
    exponent_bits, mantissa_bits = _FLOAT_BITS[kind]
    bits = values.view(f"<u{values.itemsize}")
    exponents = (bits >> mantissa_bits) & (2**exponent_bits - 1)
    num_negative = np.count_nonzero(bits >> (mantissa_bits + exponent_bits))
    return (
        mask_bound_bits(values.size, int(num_negative))
        + entropy_bits(np.bincount(exponents))
        + values.size * mantissa_bits
    )


def estimated_bits(content: bytes) -> float:
    """Estimate what a Huffman code of single bytes needs, with its table; cheap for any length."""
    if not content:
        return 0.0
    symbols = np.frombuffer(content, np.uint8)
    counts = byte_counts(symbols)
    needed = _huffman_bits(counts) * symbols.size / counts.sum()
    # zstandard writes four bits per symbol of the table, or less.
    return float(min(needed + 4 * np.count_nonzero(counts), 8 * symbols.size))


def byte_counts(symbols: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Count each of 256 symbols, in 16 runs spread over a long content, else in all of it."""
    if symbols.size > _SAMPLED_RUNS * _RUN_BYTES:
        starts = np.linspace(0, symbols.size - _RUN_BYTES, _SAMPLED_RUNS, dtype=np.intp)
        symbols = np.concatenate([symbols[at : at + _RUN_BYTES] for at in starts])
    return np.bincount(symbols, minlength=256)


def _huffman_bits(counts: NDArray[np.intp]) -> int:
    """Add up the weights of the inner nodes of the code's tree: its length over all symbols."""
    weights = [int(count) for count in counts if count]
    heapq.heapify(weights)
    length = 0
    while len(weights) > 1:
        joined = heapq.heappop(weights) + heapq.heappop(weights)
        length += joined
        heapq.heappush(weights, joined)
    return length
