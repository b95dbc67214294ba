"""Buckets: a division of the range of keys by their leading bits."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

# Bits that buckets tell apart: a table of them should fit the CPU's cache, and be small beside
# the keys. With fewer than 12 the width would be so large that the end of a bucket is no integer
# of 64 bits.
_FEWEST_BITS, _MOST_BITS = 12, 16
_KEYS_PER_BUCKET = 16


@dataclass(frozen=True, slots=True)
class Buckets:
    """Equally wide intervals of keys, numbered from 0.

    A multiple of the width is the last key of its bucket, not the first of the next. So if no key
    is negative, key 0 has bucket 0 for itself: as many scores may be zero as weights are dead.

    Attributes:
        shift: bits that tell the keys in one bucket apart.
        first: of the multiple of the width that ends bucket 0, the leading bits.
        num: number of buckets.
        sets_zero_apart: whether no key is negative, so that only key 0 is in bucket 0.
    """

    shift: int
    first: int
    num: int
    sets_zero_apart: bool

    @classmethod
    def over(cls, low: int, high: int, *, bits: int) -> Self:
        """Divide the keys from ``low`` to ``high`` into at most ``2**bits + 2`` buckets."""
        # From zero on if all are higher: that saves an operation on all keys.
        low = min(low, 0)
        shift = max(0, (high - low).bit_length() - bits)
        first, last = (-(-key >> shift) for key in (low, high))
        return cls(shift, first, last - first + 1, low == 0)

    def of(self, keys: Tensor) -> Tensor:
        """Return the bucket of each key."""
        buckets = (keys + self._mask).bitwise_right_shift_(self.shift)
        return buckets.sub_(self.first) if self.first else buckets

    def counts(self, chunks: Iterable[Tensor]) -> Tensor:
        """Count the keys in each bucket; (num,) int64, on the CPU."""
        counts = torch.zeros(self.num, dtype=torch.int64)
        for keys in chunks:
            counts += torch.bincount(self.of(keys), minlength=self.num).cpu()
        return counts

    def within(self, keys: Tensor) -> Tensor:
        """Return the place of each key in its bucket, from 0 to the width less 1."""
        return (keys + self._mask).bitwise_and_(self._mask)

    def ends(self, buckets: Tensor) -> Tensor:
        """Return the last key of each of these buckets."""
        return (buckets + self.first) << self.shift

    @property
    def _mask(self) -> int:
        return (1 << self.shift) - 1


def bits_worth(num_keys: int) -> int:
    """Return how many bits of so many keys are worth being told apart by buckets."""
    return min(max((num_keys // _KEYS_PER_BUCKET).bit_length(), _FEWEST_BITS), _MOST_BITS)
