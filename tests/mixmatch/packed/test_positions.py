import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from mixmatch.errors import PackedFormatError
from mixmatch.packed.positions import (
    POSITION_PARTS,
    decode_positions,
    encode_positions,
    longest_parts,
)

MASKS = arrays(np.bool_, array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=6))


def decoded(encoding, parts, num_entries, num_kept) -> list[int]:
    blocks = list(decode_positions(encoding, parts, num_entries, num_kept))
    assert all(block.size for block in blocks)
    return [int(index) for block in blocks for index in block]


def masks_of(*indices: int, num_entries: int):
    mask = np.zeros(num_entries, np.bool_)
    mask[list(indices)] = True
    return mask


@given(kept=MASKS)
@settings(deadline=None)
def test_any_mask_comes_back(kept):
    encoded = encode_positions(kept)

    indices = decoded(encoded.encoding, encoded.parts, kept.size, int(kept.sum()))

    assert indices == np.flatnonzero(kept).tolist()


@given(
    num_entries=st.integers(1, 400_000),
    density=st.floats(0, 1) | st.floats(0, 0.001) | st.floats(0.999, 1),
    seed=st.integers(0, 9),
)
@settings(deadline=None, max_examples=40)
def test_masks_of_several_blocks_come_back(num_entries, density, seed):
    kept = np.random.default_rng(seed).random(num_entries) < density
    encoded = encode_positions(kept)

    blocks = decode_positions(encoded.encoding, encoded.parts, num_entries, int(kept.sum()))

    found = np.zeros(num_entries, np.bool_)
    for indices in blocks:
        assert not found[indices].any()
        found[indices] = True
    assert np.array_equal(found, kept)


@pytest.mark.parametrize(
    ("encoding", "kept"),
    [
        ("kept_gaps", masks_of(3, 4, 10, num_entries=50)),
        ("pruned_gaps", ~masks_of(3, 4, 10, num_entries=50)),
        ("bits", masks_of(*range(0, 50, 2), num_entries=50)),
        ("kept_wide_gaps", masks_of(*range(999, 10**6, 1999), num_entries=10**6)),
        ("pruned_wide_gaps", ~masks_of(*range(999, 10**6, 1999), num_entries=10**6)),
        ("kept_gaps", masks_of(num_entries=9)),
        ("pruned_gaps", ~masks_of(num_entries=9)),
    ],
)
def test_density_decides_on_the_encoding(encoding, kept):
    assert encode_positions(kept).encoding == encoding


def test_gaps_count_the_entries_between_the_kept():
    encoded = encode_positions(masks_of(0, 1, 5, num_entries=100))
    assert encoded.parts == {"gaps": bytes([0, 0, 3])}


def test_an_escape_skips_255_entries_and_goes_on():
    encoded = encode_positions(masks_of(254, 510, num_entries=600))
    # 254 skipped; 255 skipped, and then none.
    assert encoded.parts == {"gaps": bytes([254, 255, 0])}
    assert decoded("kept_gaps", encoded.parts, 600, 2) == [254, 510]


def test_wide_gaps_escape_at_65535():
    parts = {"gaps_low": bytes([0xFF, 0x02]), "gaps_high": bytes([0xFF, 0x01])}
    assert decoded("kept_wide_gaps", parts, 70_000, 1) == [65_535 + 0x0102]


def test_bits_begin_at_the_highest():
    kept = np.array([1, 0, 1, 0, 1, 0, 1, 0, 1, 1], np.bool_)
    encoded = encode_positions(kept)
    assert encoded.parts == {"bits": bytes([0b10101010, 0b11000000])}


@pytest.mark.parametrize(
    ("encoding", "longest"),
    [
        ("bits", {"bits": 125}),
        ("kept_gaps", {"gaps": 10 + 990 // 255}),
        ("pruned_gaps", {"gaps": 990}),
        ("kept_wide_gaps", {"gaps_low": 10, "gaps_high": 10}),
        ("pruned_wide_gaps", {"gaps_low": 990, "gaps_high": 990}),
    ],
)
def test_counts_limit_the_parts(encoding, longest):
    assert longest_parts(encoding, 1000, 10) == longest


def test_nothing_listed_needs_no_bytes():
    assert longest_parts("kept_gaps", 1000, 0) == {"gaps": 0}
    assert longest_parts("pruned_gaps", 1000, 1000) == {"gaps": 0}


@pytest.mark.parametrize(
    ("encoding", "parts", "num_kept", "message"),
    [
        ("runs", {}, 1, "must be one of bits, kept_gaps.* got 'runs'; a newer mixmatch"),
        ("bits", {"bits": b"\0\0"}, 17, r"must lie in \[0, 12\], got 17"),
        ("bits", {"bits": b"\0\0"}, -1, r"must lie in \[0, 12\], got -1"),
        ("bits", {"gaps": b"\0\0"}, 0, "bits must have the parts bits, got gaps"),
        ("kept_gaps", {"gaps": b"\0\0\0"}, 2, "at most {'gaps': 2} bytes, got {'gaps': 3}"),
        ("bits", {"bits": b"\0"}, 0, "bits of 12 entries must be 2 bytes, got 1"),
        ("bits", {"bits": b"\x80\0"}, 2, "mark 2 of 12 entries .* got 1 marks"),
        ("bits", {"bits": b"\x80\x01"}, 2, "nothing after the last entry"),
        ("kept_gaps", {"gaps": b"\0"}, 2, "lead to 2 of 12 entries and end there, got 1"),
        ("kept_gaps", {"gaps": b"\0\x0b"}, 2, "lead to 2 of 12 .* up to entry 13"),
        ("pruned_gaps", {"gaps": b"\x0c"}, 11, "lead to 1 of 12 .* up to entry 13"),
        ("kept_gaps", {"gaps": b"\xff"}, 1, "and end there, got 0 up to entry 255 and an escape"),
        (
            "kept_wide_gaps",
            {"gaps_low": b"\0", "gaps_high": b""},
            1,
            "both bytes of the gaps must be as many, got 1 and 0",
        ),
    ],
)
def test_parts_that_contradict_the_counts_are_refused(encoding, parts, num_kept, message):
    with pytest.raises(PackedFormatError, match=message):
        decoded(encoding, parts, 12, num_kept)


def test_an_escape_at_the_end_is_refused():
    with pytest.raises(PackedFormatError, match="got 1 up to entry 256 and an escape"):
        decoded("kept_gaps", {"gaps": b"\0\xff"}, 600, 1)


@pytest.mark.parametrize("density", [0.001, 0.1, 0.5])
def test_a_large_mask_is_decoded_in_a_few_mebibytes(density):
    kept = np.random.default_rng(0).random(3_000_000) < density
    encoded = encode_positions(kept)
    num_kept = int(kept.sum())

    tracemalloc.start()
    blocks = decode_positions(encoded.encoding, encoded.parts, kept.size, num_kept)
    assert sum(block.size for block in blocks) == num_kept
    assert tracemalloc.get_traced_memory()[1] < 6 * 2**20
    tracemalloc.stop()


@given(
    encoding=st.sampled_from(list(POSITION_PARTS)),
    first=st.binary(max_size=40),
    second=st.binary(max_size=40),
    num_entries=st.integers(0, 400),
    num_kept=st.integers(-1, 400),
)
@settings(deadline=None, max_examples=300)
def test_garbage_is_refused_or_is_a_mask_of_these_counts(
    encoding, first, second, num_entries, num_kept
):
    parts = dict(zip(POSITION_PARTS[encoding], (first, second), strict=False))
    try:
        indices = decoded(encoding, parts, num_entries, num_kept)
    except PackedFormatError:
        return
    assert len(indices) == num_kept
    assert indices == sorted(set(indices) & set(range(num_entries)))
