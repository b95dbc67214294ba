"""Levels: against stable sorts, on scores that are hard to select from."""

import pytest
import torch

from mixmatch.selection import MOST_CUTS, Keys, find_cuts, find_levels, marks_above


def levels_of(flat, num_lowest):
    parts = {"scores": flat}
    keys = Keys.of(parts)
    return find_levels(flat, keys, find_cuts(parts, keys, num_lowest))


def lowest_by_stable_sort(flat, count):
    keep = torch.ones(flat.numel(), dtype=torch.bool)
    keep[flat.argsort(stable=True)[:count]] = False
    return keep


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_is_above_a_level_is_what_a_stable_sort_leaves(scores, dtype):
    counts = (1, 2, 700, 900, 901, 1500, 2100, 2101, 2999, 3000)
    found = levels_of(scores.to(dtype), counts)
    for step, count in enumerate(counts):
        assert torch.equal(marks_above(found, step), lowest_by_stable_sort(scores, count))


def test_equal_scores_go_in_their_order():
    scores = torch.tensor([2.0, -0.0, 1.0, 0.0, 2.0, 0.0])
    assert levels_of(scores, [1, 2, 3, 5]).tolist() == [3, 0, 3, 1, 4, 2]


@pytest.mark.usefixtures("few")
def test_as_many_cuts_as_a_byte_can_tell_apart():
    found = levels_of(torch.ones(300), range(1, MOST_CUTS + 1))
    assert found.tolist() == [*range(MOST_CUTS), *[MOST_CUTS] * (300 - MOST_CUTS)]
