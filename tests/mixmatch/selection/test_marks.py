"""Marks: the same as plain comparisons and plain nonzero."""

import pytest
import torch

from mixmatch.selection.marks import marks_above, marks_at, places_of


def test_bytes_are_compared():
    values = torch.tensor([0, 3, 4, 254, 255], dtype=torch.uint8)
    assert marks_above(values, 3).tolist() == [False, False, True, True, True]
    assert marks_at(values, 255).tolist() == [False, False, False, False, True]
    assert marks_above(values, 3).dtype == marks_at(values, 3).dtype == torch.bool


@pytest.mark.parametrize("num", [0, 1, 7, 8, 9, 64, 1001])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 1.0])
def test_places_are_those_of_nonzero(num, share):
    marks = torch.rand(num, generator=torch.Generator().manual_seed(num)) < share
    assert torch.equal(places_of(marks), marks.nonzero().flatten())
