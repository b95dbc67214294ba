"""A whole front as one number, with its uncertainty: the area under it.

Shape suffixes: I images, R resamples, C columns, P points.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mixmatch.errors import DataError
from mixmatch.pareto import TradeOff
from mixmatch.statistics import by_seed, resampled_means

_DIGITS = 12  # of an accuracy: sums in another order differ behind them


@dataclass(frozen=True, slots=True)
class Outcome:
    """One pruned model with every answer that it gave.

    Attributes:
        sparsity: zeros among prunable weights, a fraction.
        validation: bool, shape (images,) or (seeds, images): which validation images it got right.
        test: likewise of the test images.
    """

    sparsity: float
    validation: NDArray[np.bool_]
    test: NDArray[np.bool_]


def hypervolume(points: Sequence[TradeOff], *, reference: TradeOff) -> float:
    """Return the area between the front of ``points`` and a reference point, by an exact sweep.

    It is the area of all (sparsity, accuracy) that are better than the reference on both axes and
    that some point reaches or exceeds. Points that are not better on both contribute nothing, nor
    do dominated ones. Only fronts against the same reference compare.

    Args:
        points: in any order, on the front or not.
        reference: the corner, for example sparsity 0 and the accuracy that is still acceptable.

    Returns:
        A fraction of the unit square; 0 without points.
    """
    area, accuracy = 0.0, reference.accuracy
    for point in sorted(points, key=lambda p: (-p.sparsity, -p.accuracy)):
        if point.sparsity > reference.sparsity and point.accuracy > accuracy:
            area += (point.sparsity - reference.sparsity) * (point.accuracy - accuracy)
            accuracy = point.accuracy
    return area


def area_of_choice(points: Sequence[TradeOff], *, reference: TradeOff) -> float:
    """Return the area under a front that was chosen on other images than its accuracies are of.

    Whoever wants at least a certain sparsity takes the least sparse point that has it, since that
    one was the most accurate where the front was chosen. The area is that under its accuracy here,
    over all sparsities: what is more accurate here than it was there to be chosen is not taken
    instead, as by ``hypervolume``. Below the reference nothing is lost further.

    Args:
        points: a front, in any order; of equally sparse ones the first is taken.
        reference: the corner, for example sparsity 0 and the accuracy that is still acceptable.

    Returns:
        A fraction of the unit square; 0 without points.
    """
    area, reached = 0.0, reference.sparsity
    for point in sorted(points, key=lambda p: p.sparsity):
        if point.sparsity > reached:
            height = max(point.accuracy - reference.accuracy, 0.0)
            area += (point.sparsity - reached) * height
            reached = point.sparsity
    return area


def resampled_areas_of_choice(
    families: Sequence[Sequence[Outcome]],
    base: NDArray[np.bool_],
    *,
    reference_sparsity: float,
    reference_loss: float,
    num_resamples: int = 2000,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Return each family's ``area_of_choice`` when all images are drawn again.

    Each resample draws as many validation images as there are, with replacement, and chooses the
    fronts on them; it draws as many test images, and measures on them what was chosen. The draws
    are the same for all families and for the base, so that areas may be compared resample by
    resample.

    Args:
        families: the models of each, in any order.
        base: bool, shape (images,) or (seeds, images): which test images the network that all come
            from got right. The reference point is its accuracy on the resample minus
            ``reference_loss``.
        reference_sparsity: of the reference point.
        reference_loss: a fraction.
        num_resamples: at least 1.
        seed: of the resamples.

    Returns:
        float64, shape (families, resamples).

    Raises:
        DataError: the arrays are not bool, not of such shapes, or not of the same images.
    """
    models = [x for family in families for x in family]
    choosing, measuring = np.random.SeedSequence(seed).spawn(2)
    of_test = [("base", base), *(("a model", x.test) for x in models)]
    test_RC = _resampled_accuracies(of_test, num_resamples, measuring)
    of_validation = [("a model", x.validation) for x in models]
    validation_RC = _resampled_accuracies(of_validation, num_resamples, choosing)
    floor_R1 = test_RC[:, :1] - reference_loss
    areas, start = [], 0
    for family in families:
        columns = slice(start, start + len(family))
        width_P = np.array([x.sparsity for x in family]) - reference_sparsity
        are_chosen_RP = _are_on_fronts(width_P, validation_RC[:, columns])
        height_RP = np.maximum(test_RC[:, 1:][:, columns] - floor_R1, 0.0)
        densest_first = np.argsort(width_P, kind="stable")
        reached_RP = np.where(are_chosen_RP, np.maximum(width_P, 0.0), 0.0)[:, densest_first]
        reached_RP = np.maximum.accumulate(reached_RP, axis=1)
        steps_RP = np.diff(reached_RP, axis=1, prepend=0.0)
        areas.append((steps_RP * height_RP[:, densest_first]).sum(axis=1))
        start += len(family)
    return np.stack(areas)


def _are_on_fronts(
    sparsity_P: NDArray[np.float64], accuracy_RP: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Say of each point and resample whether no other is as good in both and better in one."""
    are_on_RP = np.empty(accuracy_RP.shape, dtype=np.bool_)
    for p, sparsity in enumerate(sparsity_P):  # all pairs at once would take much memory
        own_R1 = accuracy_RP[:, p : p + 1]
        sparser_and_as_accurate_RP = (sparsity_P > sparsity) & (accuracy_RP >= own_R1)
        as_sparse_and_more_accurate_RP = (sparsity_P >= sparsity) & (accuracy_RP > own_R1)
        dominates_RP = sparser_and_as_accurate_RP | as_sparse_and_more_accurate_RP
        are_on_RP[:, p] = ~dominates_RP.any(axis=1)
    return are_on_RP


def _resampled_accuracies(
    answers: Sequence[tuple[str, NDArray[np.bool_]]],
    num_resamples: int,
    seed: np.random.SeedSequence,
) -> NDArray[np.float64]:
    """Draw images anew; return accuracies that are equal where they are, one column per answer."""
    if not answers:
        return np.empty((num_resamples, 0))
    right_CI = [by_seed(name, correct).mean(axis=0) for name, correct in answers]
    if len({right_I.size for right_I in right_CI}) > 1:
        numbers = ", ".join(str(right_I.size) for right_I in right_CI)
        raise DataError(f"All answers must be of the same images, got {numbers}.")
    return resampled_means(np.stack(right_CI, axis=1), num_resamples, seed).round(_DIGITS)
