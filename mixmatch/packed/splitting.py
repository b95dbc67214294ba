"""Bytes split in two runs, so that a Huffman code comes near the entropy of each.

A Huffman code spends a bit on a byte that comes nearly always, and zstandard writes none at all
where no byte is more frequent than 1 in 128. Split by value, with the places written as those of
kept weights are, each run is free of both; no entropy is lost by it (chain rule).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mixmatch.errors import PackedFormatError
from mixmatch.packed.entropy import byte_counts
from mixmatch.packed.positions import Content, Encoded, Indices, encode_positions

# Share of the most frequent byte from which it is split from all others.
_FREQUENT = 0.25
_BLOCK = 2**17  # as many places at once, so that their indices stay in a core's cache

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Split:
    """Two runs of bytes and where they belong.

    Attributes:
        positions: places of the bytes that are listed.
        listed: these bytes, in order.
        others: all other bytes, in order; a single one if they are all the same.
    """

    positions: Encoded
    listed: bytes
    others: bytes


def split(content: bytes) -> Split:
    """Split ``content``, not empty: the most frequent byte from all others, or half from half."""
    symbols = np.frombuffer(content, np.uint8)
    counts = byte_counts(symbols)
    common = int(np.argmax(counts))
    if counts[common] >= _FREQUENT * counts.sum():
        listed, others = symbols != common, bytes([common])
    else:
        listed = _rarer_half(counts)[symbols]
        others = symbols[~listed].tobytes()
    return Split(encode_positions(listed), symbols[np.flatnonzero(listed)].tobytes(), others)


def join(places: Iterator[Indices], listed: Content, others: Content, size_bytes: int) -> Bytes:
    """Return the ``size_bytes`` bytes that were split.

    Args:
        places: those of ``listed``, as ``decode_positions`` yields them.
        listed: as in ``Split``.
        others: as in ``Split``.
        size_bytes: how many bytes there were.

    Raises:
        PackedFormatError: the parts contradict each other or the size.
    """
    if len(others) not in {1, size_bytes - len(listed)}:
        raise PackedFormatError(
            f"two runs must be {size_bytes} bytes together, or the second a single byte that "
            f"stands for all of it, got {len(listed)} and {len(others)}."
        )
    run = np.frombuffer(listed, np.uint8)
    if len(others) == 1:
        return _filled(others[0], places, run, size_bytes)
    return _merged(places, run, np.frombuffer(others, np.uint8))


def _rarer_half(counts: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Mark, of 256 bytes, the rare ones that together make up no more than half."""
    by_frequency = np.argsort(-counts, kind="stable")
    before = np.cumsum(counts[by_frequency]) - counts[by_frequency]
    is_rare = np.empty(256, np.bool_)
    is_rare[by_frequency] = 2 * before >= counts.sum()
    return is_rare


def _filled(filler: int, places: Iterator[Indices], listed: Bytes, size_bytes: int) -> Bytes:
    joined = np.full(size_bytes, filler, np.uint8)
    start = 0
    for indices in places:
        joined[indices] = listed[start : start + indices.size]
        start += indices.size
    return joined


def _merged(places: Iterator[Indices], listed: Bytes, others: Bytes) -> Bytes:
    joined = np.empty(listed.size + others.size, np.uint8)
    is_listed = np.zeros(joined.size, np.bool_)
    for indices in places:
        is_listed[indices] = True
    starts = [0, 0]
    for begin in range(0, joined.size, _BLOCK):
        block, mask = joined[begin : begin + _BLOCK], is_listed[begin : begin + _BLOCK]
        for which, (run, marks) in enumerate(((listed, mask), (others, ~mask))):
            indices = np.flatnonzero(marks)
            block[indices] = run[starts[which] : starts[which] + indices.size]
            starts[which] += indices.size
    return joined
