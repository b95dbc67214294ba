"""Buckets: where keys fall, and which bucket holds only zeros."""

import pytest
import torch

from mixmatch.selection.buckets import Buckets, bits_worth


def test_the_last_key_of_a_bucket_is_a_multiple_of_the_width():
    buckets = Buckets.over(0, 16, bits=3)
    assert buckets == Buckets(shift=2, first=0, num=5, sets_zero_apart=True)
    keys = torch.tensor([0, 1, 4, 5, 8, 16], dtype=torch.int32)
    assert buckets.of(keys).tolist() == [0, 1, 1, 2, 2, 4]
    assert buckets.ends(torch.tensor([0, 1, 4])).tolist() == [0, 4, 16]


def test_negative_keys_have_buckets_too_and_may_share_one_with_zero():
    buckets = Buckets.over(-5, 8, bits=2)
    assert buckets == Buckets(shift=2, first=-1, num=4, sets_zero_apart=False)
    keys = torch.tensor([-5, -4, -3, 0, 1, 8], dtype=torch.int32)
    assert buckets.of(keys).tolist() == [0, 0, 1, 1, 2, 3]
    near_zero = Buckets.over(-1, 8, bits=2)
    assert near_zero.of(torch.tensor([-1, 0, 1])).tolist() == [0, 0, 1]
    assert not near_zero.sets_zero_apart


def test_counts_are_of_all_chunks():
    buckets = Buckets.over(3, 9, bits=4)
    chunks = [torch.tensor([3, 9]), torch.tensor([9], dtype=torch.int32), torch.tensor([5])]
    assert buckets.counts(chunks).tolist() == [0, 0, 0, 1, 0, 1, 0, 0, 0, 2]


@pytest.mark.parametrize(
    ("dtype", "infinity"), [(torch.int32, 0x7F800000), (torch.int64, 0x7FF0000000000000)]
)
def test_the_widest_buckets_hold_the_keys_of_all_finite_scores(dtype, infinity):
    buckets = Buckets.over(1 - infinity, infinity - 1, bits=bits_worth(1))
    keys = torch.tensor([1 - infinity, -1, 0, 1, infinity - 1], dtype=dtype)
    low, below, zero, above, high = buckets.of(keys).tolist()
    assert (low, high) == (0, buckets.num - 1)
    assert below == zero == above - 1


@pytest.mark.parametrize(("num_keys", "bits"), [(1, 12), (1 << 17, 14), (1 << 30, 16)])
def test_many_keys_are_worth_many_buckets(num_keys, bits):
    assert bits_worth(num_keys) == bits
