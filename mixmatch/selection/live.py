"""Live buckets: those that hold a wanted key, moved together so that few bits are left to tell."""

import torch
from torch import Tensor

from mixmatch.selection.buckets import Buckets
from mixmatch.selection.marks import places_of


class LiveBuckets:
    """Some buckets, and their keys renumbered: the first of these buckets starts at 0.

    Attributes:
        num_keys: how many keys they can tell apart: their number times their width.
    """

    def __init__(self, buckets: Buckets, live: Tensor) -> None:
        """Prepare a table over all buckets.

        Args:
            buckets: all.
            live: which of them, ascending; int64 on the CPU.
        """
        self.num_keys = len(live) << buckets.shift
        self._buckets = buckets
        self._live = live
        self._is_live = torch.zeros(buckets.num, dtype=torch.bool)
        self._is_live[live] = True
        self._numbers = self._is_live.cumsum(0) - 1

    def narrow(self, keys: Tensor) -> Tensor:
        """Return the keys in live buckets, renumbered, in their order."""
        buckets = self._buckets.of(keys)
        places = places_of(self._is_live.to(keys.device).index_select(0, buckets))
        numbers = self._numbers.to(keys).index_select(0, buckets.index_select(0, places))
        within = self._buckets.within(keys.index_select(0, places))
        return (numbers << self._buckets.shift).bitwise_or_(within)

    def widen(self, keys: Tensor) -> Tensor:
        """Return what the keys were before ``narrow``; int64 on the CPU."""
        width = 1 << self._buckets.shift
        ends = self._buckets.ends(self._live[keys >> self._buckets.shift])
        return ends - (width - 1) + (keys & (width - 1))
