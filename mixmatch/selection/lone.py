"""A lone mask of few scores: for these, one partial sort costs less than counting in buckets."""

import torch
from torch import Tensor

MOST_SCORES = 1 << 16  # above, buckets are as fast on one thread; several cuts share their work


def lone_mask(flat: Tensor, num_lowest: int) -> Tensor:
    """Mark the scores that stay when the ``num_lowest`` lowest go; of equal ones the first go.

    Args:
        flat: finite scores in one dimension, on the CPU.
        num_lowest: from 1 to one less than there are.
    """
    threshold = flat.kthvalue(num_lowest).values
    staying = flat > threshold
    ties = (flat == threshold).nonzero().flatten()
    num_ties_left = len(flat) - num_lowest - int(torch.count_nonzero(staying))
    staying[ties[len(ties) - num_ties_left :]] = True
    return staying
