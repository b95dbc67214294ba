"""Fronts of the family and of its rivals as one number each: the hypervolume."""

import math
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mixmatch.front_area import (
    Outcome,
    area_of_choice,
    hypervolume,
    resampled_areas_of_choice,
)
from mixmatch.pareto import TradeOff, on_front, on_size_front
from mixmatch.statistics import central_95
from tasks.study.configurations import Configuration
from tasks.study.table_rows import FrontRow

# The corner from which areas are measured. Families of transformers may lie below one half.
REFERENCE_SPARSITY = 0.0
REFERENCE_LOSS = 0.1  # below the base's accuracy, a fraction

_Named = tuple[Literal["family", "rival"], str, list[Configuration]]


def front_rows(found: Sequence[Configuration]) -> tuple[FrontRow, ...]:
    """Measure the family's front, that of each criterion if there are several, and the rivals'.

    Fronts are chosen on validation. The area on test is that under what a user would take of them
    at each sparsity, at its test accuracy (``area_of_choice``). Empty without a base, from whose
    accuracy the reference point follows.
    """
    base = next((x for x in found if x.kind == "base"), None)
    if base is None:
        return ()
    return tuple(_front_row(kind, name, points, base) for kind, name, points in _fronts(found))


def labels_on_fronts(found: Sequence[Configuration]) -> frozenset[str]:
    """Return the labels of what is on any of these fronts, or on the family's over sizes."""
    labels = {x.label for _, _, points in _fronts(found) for x in _kept(points, _on_front(points))}
    family = [x for x in found if x.kind == "family"]
    return frozenset(labels | {x.label for x in _kept(family, are_on_size_front(family))})


def are_on_size_front(family: Sequence[Configuration]) -> list[bool]:
    """Say of each whether none is as small on disk and as accurate on validation."""
    if not family:
        return []
    # In whole numbers, as if all had equally many seeds, so that equal means are equal.
    whole = math.lcm(*(len(x.rows) for x in family))
    sizes = [sum(row.bytes for row in x.rows) * (whole // len(x.rows)) for x in family]
    return on_size_front(sizes, [x.validation for x in family])


def resampled_areas(
    families: Sequence[Sequence[Configuration]], base: Configuration
) -> NDArray[np.float64]:
    """Return the area under each family's front when validation and test images are drawn again.

    Args:
        families: of results on the same images; their fronts are chosen on each resample.
        base: from whose accuracy on each resample the reference point follows.

    Returns:
        Shape (families, resamples).
    """
    outcomes = [
        [Outcome(x.sparsity, x.all_correct_validation(), x.all_correct_test()) for x in family]
        for family in families
    ]
    return resampled_areas_of_choice(
        outcomes,
        base.all_correct_test(),
        reference_sparsity=REFERENCE_SPARSITY,
        reference_loss=REFERENCE_LOSS,
    )


def _on_front(points: Sequence[Configuration]) -> list[bool]:
    return on_front([x.trade_off() for x in points])


def _kept(points: Sequence[Configuration], are_kept: Sequence[bool]) -> list[Configuration]:
    return [x for x, is_kept in zip(points, are_kept, strict=True) if is_kept]


def _fronts(found: Sequence[Configuration]) -> Iterator[_Named]:
    family = [x for x in found if x.kind == "family"]
    if family:
        yield "family", "family", family
    criteria = list(dict.fromkeys(x.criterion for x in family))
    for criterion in criteria if len(criteria) > 1 else ():
        points = [x for x in family if x.criterion == criterion]
        yield "family", f"family/{criterion}", points
    for rival in dict.fromkeys(x.name for x in found if x.kind == "rival"):
        yield "rival", rival, [x for x in found if x.kind == "rival" and x.name == rival]


def _front_row(
    kind: Literal["family", "rival"],
    name: str,
    points: Sequence[Configuration],
    base: Configuration,
) -> FrontRow:
    front = _kept(points, _on_front(points))
    validation = TradeOff("reference", REFERENCE_SPARSITY, base.validation - REFERENCE_LOSS)
    test = TradeOff("reference", REFERENCE_SPARSITY, base.test - REFERENCE_LOSS)
    on_test = [x.trade_off(on_test=True) for x in front]
    low, high = central_95(resampled_areas([points], base)[0])
    return FrontRow(
        kind=kind,
        name=name,
        num_points=len(points),
        num_on_front=len(front),
        hypervolume_validation=hypervolume([x.trade_off() for x in front], reference=validation),
        area_test=area_of_choice(on_test, reference=test),
        reference_sparsity=REFERENCE_SPARSITY,
        reference_validation=validation.accuracy,
        reference_test=test.accuracy,
        area_low=low,
        area_high=high,
    )
