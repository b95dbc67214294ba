"""Marks: bool tensors over many scores, made and read several times faster than plainly.

Comparing bytes gives bytes by vector instructions; comparing anything to give bool does not.
"""

import torch
from torch import Tensor

_WORD = 8  # marks to read together: bytes of the widest integer
_MANY = 0.2  # share of words with a mark above which reading them together does not pay


def marks_above(values: Tensor, limit: int) -> Tensor:
    """Return ``values > limit`` of uint8 ``values``."""
    return torch.gt(values, limit, out=torch.empty_like(values)).view(torch.bool)


def marks_at(values: Tensor, value: int) -> Tensor:
    """Return ``values == value`` of uint8 ``values``."""
    return torch.eq(values, value, out=torch.empty_like(values)).view(torch.bool)


def places_of(marks: Tensor) -> Tensor:
    """Return the places of the true entries of a flat bool tensor, of which few are; ascending."""
    end = marks.numel() // _WORD * _WORD
    words = marks[:end].view(torch.int64).nonzero()
    if words.numel() * _WORD > end * _MANY:
        return marks.nonzero().flatten()
    near = (words * _WORD + torch.arange(_WORD, device=marks.device)).flatten()
    near = torch.cat([near, torch.arange(end, marks.numel(), device=marks.device)])
    return near[marks.index_select(0, near)]
