import struct
import tracemalloc

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from mixmatch.errors import PackedFormatError
from mixmatch.packed.compression import CODECS, compress, decompress

RNG = np.random.default_rng(0)
# Content of each codec, by what it is.
CONTENT = {
    "incompressible": RNG.bytes(5000),
    "geometric": RNG.geometric(0.1, 200_000).clip(0, 255).astype(np.uint8).tobytes(),
    "repeated": RNG.bytes(1000) * 300,
    "constant": bytes(10_000),
    "one_byte_frequent": np.where(RNG.random(90_000) < 0.9, 7, RNG.integers(0, 9, 90_000))
    .astype(np.uint8)
    .tobytes(),
    "no_byte_frequent": RNG.integers(0, 140, 90_000, np.uint8).tobytes(),
    "empty": b"",
    "one_byte": b"a",
}
CODEC_OF = {
    "incompressible": "none",
    "geometric": "zstd",
    "repeated": "zstd",
    "constant": "zstd",
    "one_byte_frequent": "split",
    "no_byte_frequent": "split",
    "empty": "none",
    "one_byte": "none",
}


def decompressed(codec: str, stored: bytes, size_bytes: int) -> bytes:
    return bytes(decompress(codec, stored, size_bytes, "gaps of tensor 'w'"))


@pytest.mark.parametrize("name", CONTENT)
def test_content_decides_on_the_codec_and_comes_back(name):
    codec, stored = compress(CONTENT[name])
    assert codec == CODEC_OF[name]
    assert decompressed(codec, stored, len(CONTENT[name])) == CONTENT[name]


@pytest.mark.parametrize("name", CONTENT)
def test_equal_content_gives_equal_bytes(name):
    assert compress(CONTENT[name]) == compress(bytes(bytearray(CONTENT[name])))


@given(content=st.binary(max_size=500))
@settings(deadline=None)
def test_stored_is_never_longer(content):
    codec, stored = compress(content)
    assert len(stored) <= len(content)
    assert decompressed(codec, stored, len(content)) == content


def test_repetitions_are_found_in_long_content():
    assert len(compress(CONTENT["repeated"])[1]) < 1500


@pytest.mark.parametrize("name", ["geometric", "one_byte_frequent", "no_byte_frequent"])
def test_stored_is_at_most_one_and_a_half_percent_above_the_entropy(name):
    counts = np.bincount(np.frombuffer(CONTENT[name], np.uint8))
    shares = counts[counts > 0] / counts.sum()
    entropy_bytes = -(shares * np.log2(shares)).sum() * counts.sum() / 8

    assert len(compress(CONTENT[name])[1]) <= 1.015 * entropy_bytes + 128


def test_content_stored_as_it_is_is_not_copied():
    stored = memoryview(CONTENT["incompressible"])
    assert decompress("none", stored, 5000, "part") is stored


def test_an_unknown_codec_is_refused():
    with pytest.raises(PackedFormatError, match="codec of part must be one of none, zstd, split"):
        decompress("lzma", b"", 0, "part")


@pytest.mark.parametrize(
    ("codec", "stored", "message"),
    [
        ("none", b"abc", "gaps of tensor 'w' must hold 20 bytes, got 3"),
        ("zstd", b"a" * 20, "must be shorter compressed than its 20 bytes, got 20"),
        ("zstd", zstandard.compress(bytes(21)), "must state 20 bytes in its frame, got 21"),
        ("zstd", zstandard.compress(bytes(20)) + b"x", "cannot be decompressed"),
        ("zstd", zstandard.compress(bytes(20))[:-1], "cannot be decompressed"),
        ("zstd", b"abc", "cannot be decompressed"),
        ("split", b"", "begin with a number below 5 and a table of its parts, got b'' and 0"),
        ("split", b"\x07abc", r"begin with a number below 5 .* got b'\\x07' and 4 bytes"),
        ("split", b"\x00abc", r"begin with a number below 5 .* got b'\\x00' and 4 bytes"),
    ],
)
def test_damaged_content_is_refused(codec, stored, message):
    with pytest.raises(PackedFormatError, match=message):
        decompressed(codec, stored, 20)


def split_of(*parts: tuple[int, int, bytes], number: int = 1) -> bytes:
    """Write a split by hand; of each part its codec's number, size and stored bytes."""
    table = [struct.pack("<BII", codec, size, len(stored)) for codec, size, stored in parts]
    return b"".join([bytes([number]), *table, *(stored for _, _, stored in parts)])


# Byte 2 of 60 is "b", all others are "a".
GAPS, LISTED, OTHERS = (0, 1, b"\x02"), (0, 1, b"b"), (0, 1, b"a")


def test_a_split_written_by_hand_is_joined():
    joined = decompressed("split", split_of(GAPS, LISTED, OTHERS), 60)
    assert joined == b"aab" + b"a" * 57


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (split_of((0, 2, b"\0\0"), LISTED, OTHERS), "gaps must be at most 1 bytes .* got 2"),
        (split_of((3, 1, b"\2"), LISTED, OTHERS), "a codec below 3, got 1 with 3"),
        (split_of(GAPS, (0, 61, b"b"), OTHERS), r"must lie in \[0, 60\], got 61"),
        (split_of(GAPS, LISTED, (0, 61, b"a")), "other bytes must be at most 60 bytes"),
        (split_of(GAPS, LISTED, (0, 2, b"ab")), "two runs must be 60 bytes together"),
        (split_of(GAPS, LISTED, (0, 1, b"")), "other bytes must hold 1 bytes, got 0"),
        (split_of(GAPS, LISTED, OTHERS) + b"x", "must end with byte 32, got 31"),
        (split_of(GAPS, LISTED, OTHERS)[:-1], "other bytes must hold 1 bytes, got 0"),
        (split_of((0, 1, b"\x3c"), LISTED, OTHERS), "gaps must lead to 1 of 60 entries"),
    ],
)
def test_a_split_that_contradicts_itself_is_refused(stored, message):
    with pytest.raises(PackedFormatError, match=f"'w' cannot be joined of two runs: .*{message}"):
        decompressed("split", stored, 60)


def test_splits_lie_in_each_other_at_most_six_times():
    stored = split_of((0, 0, b""), (0, 0, b""), OTHERS)
    for size in range(1000, 1007):
        stored = split_of((0, 0, b""), (0, 0, b""), (2, size, stored))
    with pytest.raises(PackedFormatError, match="at most 6 splits may lie in each other"):
        decompressed("split", stored, 1007)


def test_a_frame_that_claims_more_takes_no_memory():
    stored = zstandard.compress(bytes(2**28))
    tracemalloc.start()
    with pytest.raises(PackedFormatError, match="must state 100000 bytes in its frame, got 268435"):
        decompressed("zstd", stored, 100_000)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


@given(codec=st.sampled_from(CODECS), stored=st.binary(max_size=80), size_bytes=st.integers(0, 500))
@settings(deadline=None, max_examples=300)
def test_garbage_is_refused_or_is_content_of_this_size(codec, stored, size_bytes):
    try:
        assert len(decompressed(codec, stored, size_bytes)) == size_bytes
    except PackedFormatError:
        return


@pytest.mark.parametrize("name", ["one_byte_frequent", "no_byte_frequent"])
@given(place=st.integers(0), bit=st.integers(0, 7))
@settings(deadline=None, max_examples=100)
def test_a_damaged_split_is_refused_or_keeps_its_size(name, place, bit):
    codec, stored = compress(CONTENT[name][:5000])
    damaged = bytearray(stored)
    damaged[place % len(stored)] ^= 1 << bit
    try:
        assert len(decompressed(codec, bytes(damaged), 5000)) == 5000
    except PackedFormatError:
        return
