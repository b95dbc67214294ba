"""Which members of a family are worth keeping: the Pareto front, and how sure it is.

Shape suffixes: P points, R resamples, I images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mixmatch.errors import DataError

_RESAMPLES_AT_ONCE = 50  # bounds memory: 50 x images x 8 bytes


@dataclass(frozen=True, slots=True)
class TradeOff:
    """One pruned model as a point; both axes are fractions, more is better.

    Attributes:
        name: what the point stands for; never compared.
        sparsity: zeros among prunable weights, a fraction.
        accuracy: on the validation images, a fraction; with seeds their mean.
    """

    name: str
    sparsity: float
    accuracy: float

    def dominates(self, other: TradeOff) -> bool:
        """Say whether this one is at least as good on both axes and better on one."""
        no_worse = self.sparsity >= other.sparsity and self.accuracy >= other.accuracy
        return no_worse and (self.sparsity, self.accuracy) != (other.sparsity, other.accuracy)


def on_front(points: Sequence[TradeOff]) -> list[bool]:
    """Say of each point whether no other dominates it; equal points all stay.

    Quadratic on purpose: a run has tens of points (strategies x criteria).
    """
    return [not any(q.dominates(p) for q in points) for p in points]


def pareto_front(points: Sequence[TradeOff]) -> tuple[TradeOff, ...]:
    """Keep the points on the front, sparsest first, then most accurate, then by name."""
    front = (p for p, kept in zip(points, on_front(points), strict=True) if kept)
    return tuple(sorted(front, key=lambda p: (-p.sparsity, -p.accuracy, p.name)))


def on_size_front(sizes_bytes: Sequence[int], accuracies: Sequence[float]) -> list[bool]:
    """Say of each model whether none is at least as small and as accurate, and better on one."""
    smallness_P = -np.array(sizes_bytes, dtype=np.float64)
    accuracy_P1 = np.array(accuracies, dtype=np.float64)[:, None]
    return [bool(kept) for kept in _undominated(smallness_P, accuracy_P1)]


def front_shares(
    points: Sequence[TradeOff],
    correct: NDArray[np.generic],
    *,
    num_resamples: int = 1000,
    seed: int = 0,
) -> list[float]:
    """Return how often each point is on the front when the validation images are drawn again.

    A bootstrap: each resample draws as many images as there are, with replacement, the same for
    all points, and finds the front of the accuracies on them. The sparsities stay.

    Args:
        points: the points; their ``accuracy`` is not read.
        correct: shape (points, images); bool, or how many seeds classified the image correctly,
            out of a number of seeds that is the same for all points.
        num_resamples: at least 1.
        seed: of the resamples.

    Returns:
        One fraction per point, in the order of ``points``.

    Raises:
        DataError: ``correct`` does not have one row per point, or has no images.
    """
    if correct.ndim != 2 or len(correct) != len(points) or correct.shape[1] == 0:
        raise DataError(
            f"correct must have one row per point ({len(points)}) and at least one image, got "
            f"shape {correct.shape}."
        )
    generator = np.random.default_rng(seed)
    # Exact in float64: sums of whole numbers.
    correct_PI = correct.astype(np.float64)
    sparsity_P = np.array([p.sparsity for p in points])
    num_on_front = np.zeros(len(points), dtype=np.int64)
    for start in range(0, num_resamples, _RESAMPLES_AT_ONCE):
        num_now = min(_RESAMPLES_AT_ONCE, num_resamples - start)
        weights_RI = _resample_weights(generator, num_now, correct.shape[1])
        # Not a BLAS product: its threads would wait for processors that workers keep busy.
        num_correct_PR = np.einsum("pi,ri->pr", correct_PI, weights_RI)
        num_on_front += _undominated(sparsity_P, num_correct_PR).sum(axis=1)
    return [float(share) for share in num_on_front / num_resamples]


def _resample_weights(
    generator: np.random.Generator, num_resamples: int, num_images: int
) -> NDArray[np.float64]:
    """Draw bootstrap resamples: how often each image occurs, shape (resamples, images)."""
    drawn = generator.integers(num_images, size=(num_resamples, num_images))
    drawn += np.arange(num_resamples)[:, None] * num_images
    counts = np.bincount(drawn.ravel(), minlength=num_resamples * num_images)
    return counts.reshape(num_resamples, num_images).astype(np.float64)


def _undominated(first_P: NDArray[np.float64], second_PR: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Find the front in each of R columns; more is better on both axes, the first is fixed."""
    kept_PR = np.empty(second_PR.shape, dtype=np.bool_)
    for row, (first, second_R) in enumerate(zip(first_P, second_PR, strict=True)):
        no_worse = (first_P >= first)[:, None] & (second_PR > second_R)
        better = (first_P > first)[:, None] & (second_PR >= second_R)
        kept_PR[row] = ~(no_worse | better).any(axis=0)
    return kept_PR
