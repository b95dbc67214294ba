"""Rows of a study put together by what was pruned: one configuration, all its seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mixmatch.evaluation import unpack_correct
from mixmatch.pareto import TradeOff
from mixmatch.records import Accuracy
from tasks.study.row import Kind, StudyRow

_ORDER: tuple[Kind, ...] = ("base", "dense", "family", "rival")


@dataclass(frozen=True, slots=True)
class Configuration:
    """One configuration with the results of all its seeds.

    Attributes:
        kind: as of its rows.
        name: strategy or rival.
        also: further strategies with the same configuration.
        criterion: of a family member; None for the others.
        asked_sparsity: of a rival, a fraction; None for the others.
        rows: at least one, by seed.
    """

    kind: Kind
    name: str
    also: tuple[str, ...]
    criterion: str | None
    asked_sparsity: float | None
    rows: tuple[StudyRow, ...]

    @property
    def label(self) -> str:
        """Its rows' label without the seed."""
        return self.rows[0].label if self.kind == "base" else self.rows[0].label.rpartition("/")[0]

    @property
    def sparsity(self) -> float:
        """The mean over seeds, by whole numbers, a fraction."""
        num_nonzero = sum(row.num_nonzero for row in self.rows)
        return 1 - num_nonzero / sum(row.num_weights for row in self.rows)

    @property
    def validation(self) -> float:
        """The mean accuracy over seeds, by whole numbers, a fraction."""
        return pooled([row.validation for row in self.rows])

    @property
    def test(self) -> float:
        """The mean accuracy over seeds, by whole numbers, a fraction."""
        return pooled([row.test for row in self.rows])

    def trade_off(self, *, on_test: bool = False) -> TradeOff:
        """Return it as a point of sparsity and validation accuracy, or test accuracy."""
        return TradeOff(self.label, self.sparsity, self.test if on_test else self.validation)

    def correct_test(self, seeds: Sequence[int | None]) -> NDArray[np.bool_]:
        """Return which test images the given seeds got right: bool, shape (seeds, images)."""
        of_seed = {row.seed: row for row in self.rows}
        return np.stack([unpack_correct(of_seed[seed].test) for seed in seeds])

    def all_correct_test(self) -> NDArray[np.bool_]:
        """Return which test images all its seeds got right: bool, shape (seeds, images)."""
        return np.stack([unpack_correct(row.test) for row in self.rows])

    def all_correct_validation(self) -> NDArray[np.bool_]:
        """Return which validation images all its seeds got right: bool, shape (seeds, images)."""
        return np.stack([unpack_correct(row.validation) for row in self.rows])


def configurations(rows: Sequence[StudyRow]) -> tuple[Configuration, ...]:
    """Group rows: base, dense control, family by criterion, rivals by name, each by sparsity.

    The order does not depend on that of the rows.
    """
    groups: dict[tuple[object, ...], list[StudyRow]] = {}
    for row in rows:
        name = (row.kind, row.name, row.criterion, row.asked_sparsity)
        groups.setdefault(name, []).append(row)
    return tuple(sorted(map(_configuration, groups.values()), key=_place))


def _configuration(rows: Sequence[StudyRow]) -> Configuration:
    ordered = tuple(sorted(rows, key=lambda row: (row.seed or 0, row.base_digest)))
    first = ordered[0]
    return Configuration(
        kind=first.kind,
        name=first.name,
        also=first.also,
        criterion=first.criterion,
        asked_sparsity=first.asked_sparsity,
        rows=ordered,
    )


def _place(found: Configuration) -> tuple[int, str, float, str]:
    group = found.criterion if found.kind == "family" else found.name
    sparsity = found.sparsity if found.asked_sparsity is None else found.asked_sparsity
    return _ORDER.index(found.kind), group or "", sparsity, found.name


def pooled(accuracies: Sequence[Accuracy]) -> float:
    """Return the mean accuracy, by whole numbers: equal means are equal whatever the order."""
    return sum(x.num_correct for x in accuracies) / sum(x.num_images for x in accuracies)
