"""Scores as integers of the same order, so that they can be ranked by their bits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from mixmatch.errors import ScoreError

# Scores to handle at a time: bounds the memory of temporaries, and still keeps a GPU busy.
_CHUNK = 1 << 19

_SINGLE = {torch.float32, torch.bfloat16, torch.float16}
# By the type of the keys: the floats with these bits, which hold all scores exactly.
_FLOAT = {torch.int32: torch.float32, torch.int64: torch.float64}
# The bits of infinity by the type of the keys; those of any NaN are greater.
_INFINITY = {torch.int32: 0x7F80_0000, torch.int64: 0x7FF0_0000_0000_0000}


@dataclass(frozen=True, slots=True)
class Keys:
    """How the scores of one ranking become integers: a lower score has a lower key.

    Equal scores have equal keys; -0.0 equals 0.0, and their key is 0.

    Attributes:
        dtype: type of the keys: int32, or int64 if float32 does not hold all scores.
        signed: whether any score has a minus sign; if none has, the bits of a score are its key.
        low: the lowest key.
        high: the highest key.
    """

    dtype: torch.dtype
    signed: bool
    low: int
    high: int

    @classmethod
    def of(cls, parts: Mapping[str, Tensor]) -> Self:
        """Look at every score once, and again at parts in which one has a minus sign.

        Args:
            parts: tensors of scores, by what messages call them.

        Raises:
            ScoreError: a score is NaN or infinite.
        """
        single = _SINGLE.issuperset(part.dtype for part in parts.values())
        dtype = torch.int32 if single else torch.int64
        spans = [_span(part, dtype, what) for what, part in parts.items()]
        signed, low, high = zip(*spans, strict=True)
        return cls(dtype, any(signed), min(low), max(high))

    def keys(self, scores: Tensor) -> Tensor:
        """Return the keys of ``scores``, maybe in their memory: they must not be written to."""
        return _keys(scores, self.dtype, signed=self.signed)


def chunks_of(scores: Tensor) -> Sequence[Tensor]:
    """Return the scores in pieces of one dimension, in the order in which they lie in memory.

    These are views, unless there are gaps between the scores.
    """
    by_stride = sorted(range(scores.dim()), key=scores.stride, reverse=True)
    return torch.split(scores.detach().permute(by_stride).flatten(), _CHUNK)


def _keys(scores: Tensor, dtype: torch.dtype, *, signed: bool) -> Tensor:
    bits = scores.to(_FLOAT[dtype]).view(dtype)
    if not signed:
        return bits
    info = torch.iinfo(dtype)
    sign = bits >> (info.bits - 1)  # -1 or 0
    # A float is a sign and a magnitude: of a negative one, the key is minus the magnitude's bits.
    return (sign & info.max).bitwise_xor_(bits).sub_(sign)


def _span(scores: Tensor, dtype: torch.dtype, what: str) -> tuple[bool, int, int]:
    """Return whether a score has a minus sign, the lowest and the highest key."""
    low, high = _extremes(scores, dtype, signed=False)
    signed = low < 0
    if signed:
        low, high = _extremes(scores, dtype, signed=True)
    if max(-low, high) >= _INFINITY[dtype]:
        raise ScoreError(
            f"The {what} must be finite to be ranked, got NaN or infinity in a tensor of shape "
            f"{tuple(scores.shape)}."
        )
    return signed, low, high


def _extremes(scores: Tensor, dtype: torch.dtype, *, signed: bool) -> tuple[int, int]:
    found = [_keys(chunk, dtype, signed=signed).aminmax() for chunk in chunks_of(scores)]
    return min(int(x.min) for x in found), max(int(x.max) for x in found)
