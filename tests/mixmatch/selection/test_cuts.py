"""Cuts: against a sort, on scores that are hard to select from."""

import pytest
import torch

from mixmatch.selection import Keys, find_cuts

RANKS = (1, 2, 900, 901, 1500, 2100, 2101, 2999, 3000)


def cuts_by_sort(parts, keys, num_lowest):
    """Return key, counts below and counts equal by rank, the slow way."""
    keys_of = {name: keys.keys(part.flatten()).long() for name, part in parts.items()}
    ordered = torch.cat(list(keys_of.values())).sort().values
    return {
        n: (
            int(ordered[n - 1]),
            {name: int((x < ordered[n - 1]).sum()) for name, x in keys_of.items()},
            {name: int((x == ordered[n - 1]).sum()) for name, x in keys_of.items()},
        )
        for n in num_lowest
    }


def found(parts, num_lowest):
    keys = Keys.of(parts)
    result = find_cuts(parts, keys, num_lowest)
    return {n: (x.key, x.num_below, x.num_equal) for n, x in result.items()}, keys


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_one_part_is_cut_as_a_sort_would(scores, dtype):
    parts = {"all": scores.to(dtype)}
    result, keys = found(parts, RANKS)
    assert result == cuts_by_sort(parts, keys, RANKS)


@pytest.mark.usefixtures("few")
def test_many_parts_are_ranked_together(scores):
    sizes = (1, 1000, 7, 992, 1000)
    parts = {str(place): part for place, part in enumerate(scores.split(sizes))}
    result, keys = found(parts, RANKS)
    assert result == cuts_by_sort(parts, keys, RANKS)


@pytest.mark.usefixtures("few")
def test_every_rank_at_once(scores):
    parts = {"all": scores[:300]}
    ranks = range(1, 301)
    result, keys = found(parts, ranks)
    assert result == cuts_by_sort(parts, keys, ranks)


def test_cuts_come_by_growing_count_and_each_once():
    parts = {"a": torch.tensor([[3.0, 1.0], [2.0, 4.0]])}
    assert list(find_cuts(parts, Keys.of(parts), [3, 1, 3])) == [1, 3]
    assert find_cuts(parts, Keys.of(parts), []) == {}


def test_one_score():
    parts = {"a": torch.tensor([-1.5])}
    (cut,) = find_cuts(parts, Keys.of(parts), [1]).values()
    assert (cut.num_below, cut.num_equal) == ({"a": 0}, {"a": 1})
