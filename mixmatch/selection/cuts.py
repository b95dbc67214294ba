"""Cuts of a ranking: the scores at given ranks, all together, without sorting.

Radix selection: a histogram of the leading bits of all scores finds the few buckets that hold a
wanted one; only the scores in these are looked at again, by their next bits.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from mixmatch.selection.buckets import Buckets, bits_worth
from mixmatch.selection.keys import Keys, chunks_of
from mixmatch.selection.live import LiveBuckets

FEW = 1 << 13  # scores for which one sort costs less than a table of buckets

# The buckets that stay need bits of their own in the next round: a round must gain some.
_LEAST_GAIN_BITS = 4

# Where many scores are equal, many are left after a round. To keep these would take as much memory
# as the scores do, so they are found again in every round.
_KEPT_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a ranking is cut: the highest score that goes, and how many are lower or equal.

    Attributes:
        key: of that score; others that equal it may stay.
        num_below: how many scores are lower, by part.
        num_equal: how many scores equal it, by part.
    """

    key: int
    num_below: Mapping[str, int]
    num_equal: Mapping[str, int]


def find_cuts(parts: Mapping[str, Tensor], keys: Keys, num_lowest: Iterable[int]) -> dict[int, Cut]:
    """Find the n-th lowest of all scores together, for every n of ``num_lowest`` at once.

    Linear in the scores, nearly whatever the number of cuts. Takes memory for the scores near a
    cut: a few thousandths of all, never more than a quarter.

    Args:
        parts: tensors of scores.
        keys: of these parts.
        num_lowest: from 1 to the number of all scores.

    Returns:
        The cut by n, ascending.
    """
    wanted = sorted(set(num_lowest))
    if not wanted:
        return {}
    chunks = [chunks_of(part) for part in parts.values()]
    num_scores = sum(part.numel() for part in parts.values())
    pool = _Pool(chunks, keys.keys, keys.low, keys.high, num_scores)
    found = _search(pool, torch.tensor(wanted))
    columns = (found.keys, found.num_below.T, found.num_equal.T)
    rows = zip(wanted, *(column.tolist() for column in columns), strict=True)
    return {
        n: Cut(key, _by_part(parts, below), _by_part(parts, equal)) for n, key, below, equal in rows
    }


@dataclass(frozen=True, slots=True)
class _Pool:
    """The keys of a search.

    Attributes:
        chunks: where they are, by part.
        as_keys: returns those of a chunk.
        low: none is lower.
        high: none is higher.
        num: how many there are.
    """

    chunks: Sequence[Sequence[Tensor]]
    as_keys: Callable[[Tensor], Tensor]
    low: int
    high: int
    num: int

    def by_part(self) -> Iterator[Iterator[Tensor]]:
        """Yield the keys, by part and chunk."""
        for part in self.chunks:
            yield map(self.as_keys, part)

    def narrowed(self, live: LiveBuckets, num: int) -> Self:
        """Return the keys in live buckets, of which there are ``num``."""

        def as_keys(chunk: Tensor) -> Tensor:
            return live.narrow(self.as_keys(chunk))

        if num > self.num * _KEPT_SHARE:
            return type(self)(self.chunks, as_keys, 0, live.num_keys - 1, num)
        kept = [[as_keys(chunk) for chunk in part] for part in self.chunks]
        return type(self)(kept, _same, 0, live.num_keys - 1, num)


@dataclass(frozen=True, slots=True)
class _Found:
    """What a search for R ranks in P parts found; int64, on the CPU.

    Attributes:
        keys: the key at each rank, (R,).
        num_below: how many keys are lower, (P, R).
        num_equal: how many keys equal it, (P, R).
    """

    keys: Tensor
    num_below: Tensor
    num_equal: Tensor

    def and_then(self, other: Self) -> Self:
        """Append what a search for higher ranks found in the same parts."""
        return type(self)(
            torch.cat([self.keys, other.keys]),
            torch.cat([self.num_below, other.num_below], dim=1),
            torch.cat([self.num_equal, other.num_equal], dim=1),
        )


def _search(pool: _Pool, ranks_R: Tensor) -> _Found:
    """Find the keys of the ranks: by one histogram, and a search among what it leaves.

    Args:
        pool: the keys.
        ranks_R: ascending; the lowest key has rank 1.
    """
    if pool.num <= FEW:
        return _search_few(pool, ranks_R)
    # Every part has a histogram of its own.
    bits = bits_worth(pool.num // len(pool.chunks))
    buckets = Buckets.over(
        pool.low, pool.high, bits=max(bits, len(ranks_R).bit_length() + _LEAST_GAIN_BITS)
    )
    counts_PB = torch.stack([buckets.counts(keys) for keys in pool.by_part()])
    at_R = torch.searchsorted(counts_PB.sum(0).cumsum(0), ranks_R)
    told_R, open_R = at_R.tensor_split([_num_told(buckets, at_R)])
    equal_PR = counts_PB[:, told_R]
    told = _Found(buckets.ends(told_R), counts_PB.cumsum(1)[:, told_R] - equal_PR, equal_PR)
    if not len(open_R):
        return told
    live_L = torch.unique(open_R)
    num_left = int(counts_PB[:, live_L].sum())
    # Of all lower keys those in other buckets; the search below counts those in live ones.
    below_PR = counts_PB.index_fill_(1, live_L, 0).cumsum(1)[:, open_R]
    del counts_PB
    live = LiveBuckets(buckets, live_L)
    inner = _search(pool.narrowed(live, num_left), ranks_R[len(told_R) :] - below_PR.sum(0))
    keys_R = live.widen(inner.keys)
    return told.and_then(_Found(keys_R, inner.num_below + below_PR, inner.num_equal))


def _num_told(buckets: Buckets, at_R: Tensor) -> int:
    """Return how many of the ranks, the first ones, are in buckets of one key."""
    if buckets.shift == 0:
        return len(at_R)
    return int((at_R == 0).sum()) if buckets.sets_zero_apart else 0


def _search_few(pool: _Pool, ranks_R: Tensor) -> _Found:
    """Find the keys of the ranks by sorting: less overhead than a histogram, for few keys."""
    sorted_P = [torch.cat(list(keys)).sort().values.long().cpu() for keys in pool.by_part()]
    keys_R = torch.cat(sorted_P).sort().values[ranks_R - 1]
    below_PR = torch.stack([torch.searchsorted(keys, keys_R) for keys in sorted_P])
    upto_PR = torch.stack([torch.searchsorted(keys, keys_R, right=True) for keys in sorted_P])
    return _Found(keys_R, below_PR, upto_PR - below_PR)


def _same(keys: Tensor) -> Tensor:
    return keys


def _by_part(parts: Iterable[str], counts: Iterable[int]) -> dict[str, int]:
    return dict(zip(parts, counts, strict=True))
