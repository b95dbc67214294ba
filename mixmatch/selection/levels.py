"""Levels: at how many of several cuts each score stays, so that scores are read once for all."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor

from mixmatch.selection.buckets import Buckets, bits_worth
from mixmatch.selection.cuts import FEW, Cut
from mixmatch.selection.keys import Keys, chunks_of
from mixmatch.selection.marks import marks_at, places_of

_LIVE = 255  # marks scores in the bucket of a threshold, until they are looked at one by one
MOST_CUTS = _LIVE - 1


def find_levels(flat: Tensor, keys: Keys, cut_at: Mapping[int, Cut]) -> Tensor:
    """Say of each score at how many of the cuts it stays.

    What stays at a cut stays at all that take fewer. So at the k-th cut, counted from 0, those
    scores stay whose level is above k.

    Args:
        flat: scores in one dimension; among equal ones the first go first.
        keys: of these scores.
        cut_at: by the number of scores that go, ascending; at most ``MOST_CUTS`` of them.

    Returns:
        uint8, shape and device of ``flat``.
    """
    steps = _Steps(cut_at, keys.dtype, flat.device)
    if len(flat) <= FEW:
        return steps.levels(keys.keys(flat))
    buckets = Buckets.over(keys.low, keys.high, bits=bits_worth(len(flat)))
    table = steps.by_bucket(buckets)
    zeros = steps.ties.get(0) if buckets.sets_zero_apart else None
    found = torch.empty(flat.shape, dtype=torch.uint8, device=flat.device)
    done = 0
    for chunk in chunks_of(flat):
        here, chunk_keys = found[done : done + len(chunk)], keys.keys(chunk)
        if zeros is not None:
            table[0] = zeros.level_of_next(len(chunk) - int(torch.count_nonzero(chunk_keys)))
        here.copy_(table.index_select(0, buckets.of(chunk_keys)))
        live = places_of(marks_at(here, _LIVE))
        here[live] = steps.levels(chunk_keys.index_select(0, live))
        done += len(chunk)
    return found


@dataclass(slots=True)
class _Tie:
    """A threshold that several scores equal, of which some go.

    Attributes:
        key: of these scores.
        going: how many of them go, at each cut with this threshold, ascending.
        num_seen: how many of them were seen, in their flat order.
    """

    key: int
    going: Sequence[int]
    num_seen: int = 0

    def raise_(self, levels: Tensor, keys: Tensor) -> None:
        """See these scores: to their levels add the cuts with this threshold at which they stay."""
        places = (keys == self.key).nonzero().flatten()
        order = torch.arange(self.num_seen, self.num_seen + len(places), device=keys.device)
        going = torch.tensor(self.going, device=keys.device)
        levels[places] += torch.searchsorted(going, order, right=True).to(levels.dtype)
        self.num_seen += len(places)

    def level_of_next(self, num: int) -> int:
        """See so many scores if all stay at equally many cuts: return at how many, else _LIVE."""
        level = bisect_right(self.going, self.num_seen)
        if num and level != bisect_right(self.going, self.num_seen + num - 1):
            return _LIVE
        self.num_seen += num
        return level


class _Steps:
    """The cuts as steps: the level of a score is the number of steps up to it."""

    def __init__(self, cut_at: Mapping[int, Cut], dtype: torch.dtype, device: torch.device) -> None:
        """Join the cuts that have one threshold."""
        self.ties: dict[int, _Tie] = {}
        thresholds, num_cuts = [], [0]
        num_equal = {cut.key: sum(cut.num_equal.values()) for cut in cut_at.values()}
        for key, same in groupby(cut_at.items(), lambda item: item[1].key):
            going = [n - sum(cut.num_below.values()) for n, cut in same]
            if going[0] < num_equal[key]:
                self.ties[key] = _Tie(key, going)
            thresholds.append(key)
            num_cuts.append(num_cuts[-1] + len(going))
        self._keys = torch.tensor(thresholds, dtype=dtype, device=device)
        # By the number of thresholds below a score.
        self._levels = torch.tensor(num_cuts, dtype=torch.int32, device=device)

    def levels(self, keys: Tensor) -> Tensor:
        """Return the levels of scores with these keys, which come in their flat order."""
        levels = self._levels[torch.searchsorted(self._keys, keys)]
        for tie in self.ties.values():
            tie.raise_(levels, keys)
        return levels.to(torch.uint8)

    def by_bucket(self, buckets: Buckets) -> Tensor:
        """Return the level of all scores in each bucket; int32, ``_LIVE`` where they differ.

        Zeros with a bucket of their own get 0, as if all of them went where any does.
        """
        live = buckets.of(self._keys)
        numbers = torch.arange(buckets.num, dtype=live.dtype, device=live.device)
        table = self._levels[torch.searchsorted(live, numbers)]
        table[live] = _LIVE
        if buckets.sets_zero_apart:
            table[0] = 0
        return table
