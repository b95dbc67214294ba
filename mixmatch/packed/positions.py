"""Which entries of a weight are kept, as parts of bytes and back.

A mask is written as its bits, or as the gaps between what is rarer, the kept or the pruned. In a
random mask gaps are memoryless, and so are the bytes that they are cut into: coded one by one,
none of the encodings needs more than the entropy of the mask (and a mask with structure less).
To add an encoding: a line in ``POSITION_PARTS``, and what it needs in both directions.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from mixmatch.errors import PackedFormatError
from mixmatch.packed.entropy import estimated_bits

BITS = "bits"
KEPT_GAPS, KEPT_WIDE_GAPS = "kept_gaps", "kept_wide_gaps"
PRUNED_GAPS, PRUNED_WIDE_GAPS = "pruned_gaps", "pruned_wide_gaps"

# The parts of each encoding, in the order in which they are to be written.
POSITION_PARTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        BITS: ("bits",),
        KEPT_GAPS: ("gaps",),
        KEPT_WIDE_GAPS: ("gaps_low", "gaps_high"),
        PRUNED_GAPS: ("gaps",),
        PRUNED_WIDE_GAPS: ("gaps_low", "gaps_high"),
    }
)

_PRUNED = (PRUNED_GAPS, PRUNED_WIDE_GAPS)
_BLOCK = 2**17  # symbols or entries at once: their indices (1 MiB) stay in a core's cache
# Between these shares of the rarer kind both bits and gaps are tried; outside, one is too long.
_BITS_FROM, _GAPS_UP_TO = 1 / 16, 1 / 4
_WIDE_FROM_GAP = 32  # mean gap from which two bytes per gap are tried beside one
_PART_BITS = 128  # of a part's frame and of its line in the layout

Indices = NDArray[np.intp]
Content = bytes | memoryview


@dataclass(frozen=True, slots=True)
class Encoded:
    """A mask as bytes, not yet compressed.

    Attributes:
        encoding: a key of ``POSITION_PARTS``.
        parts: by name, in the order of ``POSITION_PARTS``.
    """

    encoding: str
    parts: dict[str, bytes]


def encode_positions(kept: NDArray[np.bool_]) -> Encoded:
    """Write a mask of any shape, True where kept, row-major, as what should compress best.

    Chosen by what Huffman codes of the bytes would need; equal masks give equal bytes. Takes up to
    32 bytes of memory for each entry of the rarer kind, where that is at most a quarter of all.
    """
    flat = kept.reshape(-1)
    num_kept = int(np.count_nonzero(flat))
    num_rare = min(num_kept, flat.size - num_kept)
    options = []
    if num_rare > flat.size * _BITS_FROM:
        options.append(Encoded(BITS, {"bits": np.packbits(flat).tobytes()}))
    if num_rare <= flat.size * _GAPS_UP_TO:
        rarer_are_kept = num_rare == num_kept
        gaps = _gaps(np.flatnonzero(flat if rarer_are_kept else ~flat))
        names = (KEPT_GAPS, KEPT_WIDE_GAPS) if rarer_are_kept else _PRUNED
        options.append(Encoded(names[0], _cut(gaps, wide=False)))
        if flat.size > num_rare * _WIDE_FROM_GAP and num_rare:
            options.append(Encoded(names[1], _cut(gaps, wide=True)))
    if len(options) == 1:
        return options[0]
    return min(options, key=_estimated_bits)


def longest_parts(encoding: str, num_entries: int, num_kept: int) -> dict[str, int]:
    """Return the greatest length in bytes of each part that a mask of these counts can have.

    By part, in the order of ``POSITION_PARTS``. Compare with what a file states before anything is
    decompressed; ``bits`` must have exactly this length.

    Raises:
        PackedFormatError: ``encoding`` is unknown, or more entries are kept than there are.
    """
    if encoding not in POSITION_PARTS:
        raise PackedFormatError(
            f"encoding of positions must be one of {', '.join(POSITION_PARTS)}, got "
            f"{encoding!r}; a newer mixmatch may know it."
        )
    if not 0 <= num_kept <= num_entries:
        raise PackedFormatError(
            f"the number of kept entries must lie in [0, {num_entries}], got {num_kept}."
        )
    if encoding == BITS:
        return {"bits": -(-num_entries // 8)}
    num_listed, skipped = _listed(encoding, num_entries, num_kept)
    names = POSITION_PARTS[encoding]
    # An escape stands before an entry that is listed.
    longest = num_listed + skipped // _escape(len(names)) if num_listed else 0
    return dict.fromkeys(names, longest)


def decode_positions(
    encoding: str, parts: Mapping[str, Content], num_entries: int, num_kept: int
) -> Iterator[Indices]:
    """Yield the flat indices of the kept entries, increasing, block by block.

    Blocks are never empty and together hold exactly ``num_kept`` indices below ``num_entries``; to
    know that, take all of them. Memory: a few MiB, and one byte per entry where the pruned are
    listed.

    Raises:
        PackedFormatError: the parts contradict the counts or each other; the counts at once, their
            content while the blocks are taken.
    """
    longest = longest_parts(encoding, num_entries, num_kept)
    if set(parts) != set(longest):
        raise PackedFormatError(
            f"{encoding} must have the parts {', '.join(longest)}, got {', '.join(parts)}."
        )
    lengths = {name: len(parts[name]) for name in longest}
    if any(lengths[name] > longest[name] for name in longest):
        raise PackedFormatError(
            f"{encoding} of {num_kept} in {num_entries} entries must have at most {longest} bytes, "
            f"got {lengths}."
        )
    arrays = [np.frombuffer(parts[name], np.uint8) for name in longest]
    if encoding == BITS:
        return _from_bits(arrays[0], num_entries, num_kept)
    num_listed, _ = _listed(encoding, num_entries, num_kept)
    listed = _from_gaps(arrays, num_entries, num_listed)
    return _all_but(listed, num_entries) if encoding in _PRUNED else listed


def _estimated_bits(option: Encoded) -> float:
    return sum(_PART_BITS + estimated_bits(part) for part in option.parts.values())


def _listed(encoding: str, num_entries: int, num_kept: int) -> tuple[int, int]:
    """Count the entries that the gaps lead to, and the others."""
    num_pruned = num_entries - num_kept
    return (num_pruned, num_kept) if encoding in _PRUNED else (num_kept, num_pruned)


def _escape(width: int) -> int:
    """The symbol of ``width`` bytes that means: skip as many entries, and go on with the next."""
    return int(256**width - 1)


def _gaps(indices: Indices) -> Indices:
    """Count the entries skipped before each index."""
    gaps = np.diff(indices, prepend=-1)
    gaps -= 1
    return gaps


def _cut(gaps: Indices, *, wide: bool) -> dict[str, bytes]:
    """Cut gaps into symbols of one or two bytes, those of two into a low and a high plane."""
    escape, dtype = _escape(1 + wide), "<u2" if wide else "u1"
    if gaps.size == 0 or gaps.max() < escape:
        symbols = gaps.astype(dtype)
    else:
        num_escapes, rest = np.divmod(gaps, escape)
        last = np.cumsum(num_escapes + 1) - 1
        symbols = np.full(last[-1] + 1, escape, dtype)
        symbols[last] = rest
    if not wide:
        return {"gaps": symbols.tobytes()}
    planes = symbols.view(np.uint8).reshape(-1, 2)
    return {"gaps_low": planes[:, 0].tobytes(), "gaps_high": planes[:, 1].tobytes()}


def _from_bits(packed: NDArray[np.uint8], num_entries: int, num_kept: int) -> Iterator[Indices]:
    if packed.size != -(-num_entries // 8):
        raise PackedFormatError(
            f"the bits of {num_entries} entries must be {-(-num_entries // 8)} bytes, "
            f"got {packed.size}."
        )
    # Those after the last entry are counted too, so that none of them can be set.
    num_set = int(np.bitwise_count(packed).sum(dtype=np.int64))
    if num_set != num_kept or (num_entries % 8 and int(packed[-1]) << num_entries % 8 & 0xFF):
        raise PackedFormatError(
            f"the bits must mark {num_kept} of {num_entries} entries and nothing after the last "
            f"entry, got {num_set} marks."
        )
    masks = (
        np.unpackbits(packed[start : start + _BLOCK // 8]).view(np.bool_)
        for start in range(0, packed.size, _BLOCK // 8)
    )
    return _indices(masks)


def _all_but(listed: Iterator[Indices], num_entries: int) -> Iterator[Indices]:
    kept = np.ones(num_entries, np.bool_)
    for indices in listed:
        kept[indices] = False
    yield from _indices(kept[at : at + _BLOCK] for at in range(0, num_entries, _BLOCK))


def _indices(masks: Iterator[NDArray[np.bool_]]) -> Iterator[Indices]:
    """Yield the indices of what blocks of a mask mark, counted from the first block's start."""
    for number, mask in enumerate(masks):
        indices = np.flatnonzero(mask)
        indices += number * _BLOCK
        if indices.size:
            yield indices


def _from_gaps(
    planes: list[NDArray[np.uint8]], num_entries: int, num_listed: int
) -> Iterator[Indices]:
    escape = _escape(len(planes))
    position, num_found, is_last_an_end = 0, 0, True
    for symbols in _symbols(planes):
        ends = symbols != escape
        # An escape skips as many entries as its value; any other symbol goes one further.
        after = np.cumsum(symbols + ends, dtype=np.intp)
        after += position
        position, is_last_an_end = int(after[-1]), bool(ends[-1])
        indices = after[ends] - 1
        num_found += indices.size
        if position > num_entries or num_found > num_listed:
            break
        if indices.size:
            yield indices
    if position > num_entries or num_found != num_listed or not is_last_an_end:
        raise PackedFormatError(
            f"the gaps must lead to {num_listed} of {num_entries} entries and end there, got "
            f"{num_found} up to entry {position}{'' if is_last_an_end else ' and an escape'}."
        )


def _symbols(planes: list[NDArray[np.uint8]]) -> Iterator[NDArray[np.unsignedinteger]]:
    if len({plane.size for plane in planes}) > 1:
        raise PackedFormatError(
            "both bytes of the gaps must be as many, got "
            f"{' and '.join(str(plane.size) for plane in planes)}."
        )
    for start in range(0, planes[0].size, _BLOCK):
        blocks = [plane[start : start + _BLOCK] for plane in planes]
        if len(blocks) == 1:
            yield blocks[0]
        else:
            yield np.stack(blocks, axis=1).view("<u2").reshape(-1)
