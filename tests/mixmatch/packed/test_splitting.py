import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixmatch.errors import PackedFormatError
from mixmatch.packed.positions import decode_positions
from mixmatch.packed.splitting import join, split


def places(*indices: int):
    return iter([np.array(indices, np.intp)])


@given(content=st.binary(min_size=1, max_size=300) | st.text("ab", min_size=1).map(str.encode))
@settings(deadline=None)
def test_any_content_comes_back(content):
    parts = split(content)
    encoding, gaps = parts.positions.encoding, parts.positions.parts
    listed = decode_positions(encoding, gaps, len(content), len(parts.listed))

    assert join(listed, parts.listed, parts.others, len(content)).tobytes() == content


def test_a_frequent_byte_is_split_from_all_others():
    parts = split(b"aabaacaaaa")
    assert (parts.listed, parts.others) == (b"bc", b"a")


def test_without_a_frequent_byte_the_rarer_half_is_listed():
    parts = split(b"abcdefgh" + b"abcd")
    assert (parts.listed, parts.others) == (b"defghd", b"abcabc")


def test_content_of_several_blocks_without_a_frequent_byte_comes_back():
    content = np.random.default_rng(0).integers(0, 200, 300_000, np.uint8).tobytes()
    parts = split(content)
    encoding, gaps = parts.positions.encoding, parts.positions.parts
    listed = decode_positions(encoding, gaps, len(content), len(parts.listed))

    assert join(listed, parts.listed, parts.others, len(content)).tobytes() == content


@pytest.mark.parametrize("others", [b"", b"xy"])
def test_runs_of_another_length_are_refused(others):
    with pytest.raises(PackedFormatError, match="two runs must be 4 bytes together, or the second"):
        join(places(1), b"a", others, 4)


def test_a_single_byte_stands_for_all_that_are_not_listed():
    assert join(places(1, 3), b"ab", b"x", 5).tobytes() == b"xaxbx"


def test_others_are_put_between_the_listed():
    assert join(places(1, 3), b"ab", b"xyz", 5).tobytes() == b"xaybz"
