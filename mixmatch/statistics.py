"""What several seeds and a pair of results come to, with their uncertainty.

How often a point is on the front is in ``pareto.front_shares``, what a whole front comes to in
``front_area``, one accuracy's interval in ``evaluation.wilson_interval``. Shape suffixes: S seeds,
I images, R resamples, V distinct values, C columns.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mixmatch.errors import DataError
from mixmatch.records import Accuracy

_CELLS_AT_ONCE = 1_000_000  # bounds memory: 8 bytes per resample and distinct value
_CENTRAL_95 = (2.5, 97.5)  # percentiles


@dataclass(frozen=True, slots=True)
class Spread:
    """One figure over several seeds.

    Attributes:
        mean: the arithmetic mean, in the unit of the values.
        deviation: sample standard deviation (n - 1), in that unit; None for a single value.
        num_values: how many there were.
    """

    mean: float
    deviation: float | None
    num_values: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """How sure it is that A is more accurate than B.

    Attributes:
        probability: share of resamples in which A is more accurate; ties count half.
        difference: accuracy of A minus that of B on the images themselves, a fraction.
        low: lower end of the 95 % percentile interval of the difference, a fraction.
        high: upper end of it, a fraction.
    """

    probability: float
    difference: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """Return mean and sample standard deviation, exactly rounded: equal values deviate by 0.

    Raises:
        DataError: there is no value.
    """
    if not values:
        raise DataError("A mean needs at least one value, got none.")
    exact = [float(value) for value in values]
    deviation = statistics.stdev(exact) if len(exact) > 1 else None
    return Spread(statistics.mean(exact), deviation, len(exact))


def paired_bootstrap(
    correct_a: NDArray[np.bool_],
    correct_b: NDArray[np.bool_],
    *,
    num_resamples: int = 10_000,
    seed: int = 0,
) -> Comparison:
    """Say how surely A beats B when the test images are drawn again.

    Each resample draws as many images as there are, with replacement, the same for A and B, and
    compares the accuracies on them, which are means over the seeds. The comparison is exact, in
    whole numbers; equal accuracies count half. Only images vary: what other seeds would have given
    is in ``spread``.

    Args:
        correct_a: bool, shape (images,) or (seeds, images): which images A got right.
        correct_b: likewise of B, on the same images in the same order; B may have other seeds.
        num_resamples: at least 1.
        seed: of the resamples.

    Raises:
        DataError: the arrays are not bool, not of such shapes, or not of the same images.
    """
    right_a_SI, right_b_SI = by_seed("correct_a", correct_a), by_seed("correct_b", correct_b)
    if right_a_SI.shape[1] != right_b_SI.shape[1]:
        raise DataError(
            f"correct_a and correct_b must be of the same images, got {right_a_SI.shape[1]} and "
            f"{right_b_SI.shape[1]}."
        )
    # Over a common denominator the differences are whole numbers, so that ties are ties.
    ahead_I = right_a_SI.sum(axis=0) * len(right_b_SI) - right_b_SI.sum(axis=0) * len(right_a_SI)
    whole = len(right_a_SI) * len(right_b_SI) * ahead_I.size
    ahead_R = _resampled_sums(ahead_I, num_resamples, np.random.default_rng(seed))
    num_won, num_tied = np.count_nonzero(ahead_R > 0), np.count_nonzero(ahead_R == 0)
    low, high = np.percentile(ahead_R, _CENTRAL_95)
    return Comparison(
        probability=(num_won + 0.5 * num_tied) / num_resamples,
        difference=int(ahead_I.sum()) / whole,
        low=float(low) / whole,
        high=float(high) / whole,
    )


def paired_loss(before: Accuracy, after: Accuracy) -> Comparison:
    """Say how much accuracy a network lost when it was changed, for example rounded to int8.

    By ``paired_bootstrap`` with its defaults, A is the network before: ``difference`` is the loss,
    negative where it gained, and ``low`` to ``high`` its 95 % interval.

    Args:
        before: on some images.
        after: on the same images in the same order.

    Raises:
        DataError: the numbers of images differ.
    """
    from mixmatch.evaluation import unpack_correct  # noqa: PLC0415  torch, for this alone

    return paired_bootstrap(unpack_correct(before), unpack_correct(after))


def central_95(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the ends of the 95 % percentile interval of resamples."""
    low, high = np.percentile(values, _CENTRAL_95)
    return float(low), float(high)


def resampled_means(
    values_IC: NDArray[np.float64], num_resamples: int, seed: int | np.random.SeedSequence
) -> NDArray[np.float64]:
    """Draw bootstrap resamples of the rows of ``values_IC`` and return the mean rows."""
    # Images that all columns answer alike are interchangeable.
    values_VC, counts_V = np.unique(values_IC, axis=0, return_counts=True)
    generator = np.random.default_rng(seed)
    num_at_once = max(1, _CELLS_AT_ONCE // counts_V.size)
    num_images = len(values_IC)
    means = [
        generator.multinomial(num_images, counts_V / num_images, size=min(num_at_once, left))
        @ values_VC
        / num_images
        for left in range(num_resamples, 0, -num_at_once)
    ]
    return np.concatenate(means)


def by_seed(name: str, correct: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return ``correct`` with one row per seed."""
    if correct.dtype != np.bool_ or correct.ndim not in (1, 2) or correct.size == 0:
        raise DataError(
            f"{name} must be bool of shape (images,) or (seeds, images) with at least one of each, "
            f"got {correct.dtype} of shape {correct.shape}."
        )
    return np.atleast_2d(correct)


def _resampled_sums(
    values_I: NDArray[np.int64], num_resamples: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Draw bootstrap resamples of ``values_I`` and return the sum of each, exactly."""
    values_V, counts_V = np.unique(values_I, return_counts=True)
    # Images of one value are interchangeable, so how often each value is drawn is multinomial.
    shares_V = counts_V / values_I.size
    num_at_once = max(1, _CELLS_AT_ONCE // values_V.size)
    sums = [
        generator.multinomial(values_I.size, shares_V, size=min(num_at_once, num_resamples - start))
        @ values_V
        for start in range(0, num_resamples, num_at_once)
    ]
    return np.concatenate(sums)
