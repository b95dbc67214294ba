"""Keys: integers in the order of the scores, and the refusal of what has no order."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mixmatch.errors import ScoreError
from mixmatch.selection import Keys
from mixmatch.selection.keys import chunks_of

FLOATS = st.floats(allow_nan=False, allow_infinity=False, width=32)
SMALLEST, LARGEST = 2.0**-149, torch.finfo(torch.float32).max


def keys_of(scores):
    return Keys.of({"scores": scores}).keys(scores)


@settings(deadline=None)
@given(values=st.lists(FLOATS, min_size=1, max_size=30), dtype=st.sampled_from(["float", "double"]))
def test_keys_compare_as_their_scores_do(values, dtype):
    scores = getattr(torch.tensor(values), dtype)()
    keys = keys_of(scores)
    assert torch.equal(keys[:, None] < keys, scores[:, None] < scores)
    assert torch.equal(keys[:, None] == keys, scores[:, None] == scores)


def test_keys_of_the_extremes():
    scores = torch.tensor([-LARGEST, -SMALLEST, -0.0, 0.0, SMALLEST, LARGEST])
    largest = 0x7F7FFFFF
    assert keys_of(scores).tolist() == [-largest, -1, 0, 0, 1, largest]
    assert Keys.of({"scores": scores}) == Keys(torch.int32, True, -largest, largest)


def test_without_a_minus_sign_the_bits_are_the_keys_and_nothing_is_copied():
    scores = torch.tensor([1.0, 0.0])
    keys = Keys.of({"scores": scores})
    assert keys == Keys(torch.int32, False, 0, 0x3F800000)
    assert keys.keys(scores).data_ptr() == scores.data_ptr()


def test_parts_of_several_types_have_one_order():
    parts = {
        "half": torch.tensor([0.5, -2.0], dtype=torch.float16),
        "single": torch.tensor([0.25]),
        "double": torch.tensor([0.25 + 2**-40], dtype=torch.float64),
    }
    keys = Keys.of(parts)
    assert keys.dtype == torch.int64
    half, single, double = (keys.keys(part).tolist() for part in parts.values())
    assert half[1] < 0 < single[0] < double[0] < half[0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("bad", [math.nan, -math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("others", [[0.0, 1.0], [-1.0, 0.0]])
def test_refuses_what_has_no_place_in_an_order(bad, others, dtype):
    parts = {"first": torch.ones(2), "second": torch.tensor([[*others, bad]], dtype=dtype)}
    message = r"The second must be finite .* NaN or infinity in a tensor of shape \(1, 3\)"
    with pytest.raises(ScoreError, match=message):
        Keys.of(parts)


def test_chunks_are_views_in_the_order_of_memory(monkeypatch):
    monkeypatch.setattr("mixmatch.selection.keys._CHUNK", 5)
    scores = torch.arange(8.0).view(1, 2, 2, 2).to(memory_format=torch.channels_last)
    chunks = chunks_of(scores)
    assert [chunk.tolist() for chunk in chunks] == [[0, 4, 1, 5, 2], [6, 3, 7]]
    assert chunks[0].data_ptr() == scores.data_ptr()
