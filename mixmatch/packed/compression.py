"""One part of a packed file, compressed where that makes it smaller.

zstandard, used where all there is to gain is the entropy of single bytes: its search for
repetitions would find accidents, which cost time and bytes, and its Huffman code is too long for
some content, which is split before (``mixmatch.packed.splitting``).
"""

import struct

import numpy as np
import zstandard

from mixmatch.errors import PackedFormatError
from mixmatch.packed.entropy import byte_counts, entropy_bits
from mixmatch.packed.positions import POSITION_PARTS, Content, decode_positions, longest_parts
from mixmatch.packed.splitting import join, split

NONE, ZSTD, SPLIT = "none", "zstd", "split"
CODECS = (NONE, ZSTD, SPLIT)

_from_level = zstandard.ZstdCompressionParameters.from_level
# A table of 2^6 places forgets at once, so that no repetition is found. Gaps of random masks of
# 0.02 to 0.2 come to 1 % above their entropy; at levels 3 and 9, by accidents, to 2 to 14 %.
_LITERALS = _from_level(1, hash_log=6, min_match=7)
# Parts up to this length are also searched for repetitions, and with care, as it takes no time.
_SMALL_BYTES, _SMALL = 2**16, _from_level(9)
# So are those that need less than this share of their entropy: something in them repeats itself.
_REPEATED, _LARGE = 0.9, _from_level(3)
# Above the entropy by this share and this many bytes, a split is tried.
_TOO_LONG, _SPLIT_BYTES = 1.015, 128
_MOST_SPLITS = 6  # one within the other
_MOST_BYTES = 2**32 - 1
# A split is the number of the encoding of its places, then of each part the number of its codec,
# its size and its length as stored, then the parts as stored. Numbers count from 0.
_ENCODINGS = tuple(POSITION_PARTS)
_PART = struct.Struct("<BII")


def compress(content: bytes) -> tuple[str, bytes]:
    """Return a codec, one of ``CODECS``, and what to store; equal content gives equal bytes.

    Shorter than ``content`` except with codec ``none``, which stores it as it is.
    """
    return _compress(content, _MOST_SPLITS)


def decompress(codec: str, stored: Content, size_bytes: int, what: str) -> Content:
    """Return the content of ``size_bytes``; with codec ``none`` that is ``stored`` itself.

    Allocates what it returns and a few MiB; with codec ``split`` three times as much more, and a
    multiple of ``size_bytes``, at most 30, where a file that lies nests its splits.

    Args:
        codec: one of ``CODECS``.
        stored: what ``compress`` returned.
        size_bytes: how long the content must be; the caller knows that it may be as long.
        what: names the part in errors.

    Raises:
        PackedFormatError: the codec is unknown, or ``stored`` is damaged or of another size.
    """
    return _decompress(codec, stored, size_bytes, what, _MOST_SPLITS)


def _compress(content: bytes, most_splits: int) -> tuple[str, bytes]:
    found, needed = _zstd(content, _LITERALS), _entropy_bytes(content)
    if len(content) <= _SMALL_BYTES:
        found = min(found, _zstd(content, _SMALL), key=len)
    elif len(found) < _REPEATED * needed:
        found = min(found, _zstd(content, _LARGE), key=len)
    options = [(NONE, content), (ZSTD, found)]
    shortest = min(len(content), len(found))
    if most_splits and _TOO_LONG * needed + _SPLIT_BYTES < shortest and len(content) <= _MOST_BYTES:
        options.append((SPLIT, _split(content, most_splits - 1)))
    return min(options, key=lambda option: len(option[1]))


def _zstd(content: bytes, parameters: zstandard.ZstdCompressionParameters) -> bytes:
    return zstandard.ZstdCompressor(compression_params=parameters).compress(content)


def _entropy_bytes(content: bytes) -> float:
    """Estimate the order-0 entropy of ``content`` from a sample."""
    if not content:
        return 0.0
    counts = byte_counts(np.frombuffer(content, np.uint8))
    return entropy_bits(counts) / 8 * len(content) / int(counts.sum())


def _split(content: bytes, most_splits: int) -> bytes:
    parts = split(content)
    pieces = [
        *((part, *_compress(part, 0)) for part in parts.positions.parts.values()),
        *((part, *_compress(part, most_splits)) for part in (parts.listed, parts.others)),
    ]
    head = bytes([_ENCODINGS.index(parts.positions.encoding)])
    stated = (
        _PART.pack(CODECS.index(codec), len(part), len(stored)) for part, codec, stored in pieces
    )
    return b"".join((head, *stated, *(stored for _, _, stored in pieces)))


def _decompress(
    codec: str, stored: Content, size_bytes: int, what: str, most_splits: int
) -> Content:
    if codec not in CODECS:
        raise PackedFormatError(
            f"codec of {what} must be one of {', '.join(CODECS)}, got {codec!r}; a newer mixmatch "
            "may know it."
        )
    if codec == NONE:
        content = stored
    elif len(stored) >= size_bytes:
        raise PackedFormatError(
            f"{what} must be shorter compressed than its {size_bytes} bytes, got {len(stored)}."
        )
    elif codec == ZSTD:
        content = _unzstd(stored, size_bytes, what)
    else:
        content = _unsplit(stored, size_bytes, what, most_splits)
    if len(content) != size_bytes:
        raise PackedFormatError(f"{what} must hold {size_bytes} bytes, got {len(content)}.")
    return content


def _unzstd(stored: Content, size_bytes: int, what: str) -> bytes:
    try:
        # A frame's own claim would be believed before max_output_size, so it is checked first.
        claimed = zstandard.get_frame_parameters(stored).content_size
        if claimed != size_bytes:
            raise PackedFormatError(
                f"{what} must state {size_bytes} bytes in its frame, got {claimed}."
            )
        return zstandard.ZstdDecompressor().decompress(
            stored, max_output_size=size_bytes, allow_extra_data=False
        )
    except zstandard.ZstdError as error:
        raise PackedFormatError(f"{what} cannot be decompressed: {error}.") from error


def _unsplit(stored: Content, size_bytes: int, what: str, most_splits: int) -> memoryview:
    try:
        encoding, parts = _split_parts(memoryview(stored), size_bytes, most_splits)
        *gaps, listed, others = parts
        named = dict(zip(POSITION_PARTS[encoding], gaps, strict=True))
        places = decode_positions(encoding, named, size_bytes, len(listed))
        return join(places, listed, others, size_bytes).data
    except PackedFormatError as error:
        raise PackedFormatError(f"{what} cannot be joined of two runs: {error}") from error


def _split_parts(
    stored: memoryview, size_bytes: int, most_splits: int
) -> tuple[str, list[Content]]:
    """Return the encoding of the places, then its parts and the two runs."""
    if not most_splits:
        raise PackedFormatError(f"at most {_MOST_SPLITS} splits may lie in each other.")
    encoding, table = _split_table(stored)
    num_listed = table[-2][1]
    sizes = longest_parts(encoding, size_bytes, num_listed)
    sizes |= {"listed bytes": num_listed, "other bytes": size_bytes}
    at = 1 + _PART.size * len(table)
    parts: list[Content] = []
    for (name, most), (codec, part_bytes, stored_bytes) in zip(sizes.items(), table, strict=True):
        if part_bytes > most or codec >= len(CODECS):
            raise PackedFormatError(
                f"{name} must be at most {most} bytes with a codec below {len(CODECS)}, got "
                f"{part_bytes} with {codec}."
            )
        piece, at = stored[at : at + stored_bytes], at + stored_bytes
        parts.append(_decompress(CODECS[codec], piece, part_bytes, name, most_splits - 1))
    if at != len(stored):
        raise PackedFormatError(f"its parts must end with byte {len(stored)}, got {at}.")
    return encoding, parts


def _split_table(stored: memoryview) -> tuple[str, list[tuple[int, int, int]]]:
    """Return the encoding of the places, and codec, size and stored length of each part."""
    number = stored[0] if stored else len(_ENCODINGS)
    if number < len(_ENCODINGS):
        encoding = _ENCODINGS[number]
        end = 1 + _PART.size * (len(POSITION_PARTS[encoding]) + len(("listed", "others")))
        if len(stored) >= end:
            return encoding, list(_PART.iter_unpack(stored[1:end]))
    raise PackedFormatError(
        f"a split must begin with a number below {len(_ENCODINGS)} and a table of its parts, got "
        f"{bytes(stored[:1])!r} and {len(stored)} bytes in all."
    )
