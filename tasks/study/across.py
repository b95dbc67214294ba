"""Several studies side by side: what each network still keeps, and whose front is larger."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mixmatch.config import FineTuneSettings
from mixmatch.evaluation import unpack_correct
from mixmatch.records import Record
from mixmatch.statistics import central_95, paired_bootstrap
from tasks.study.configurations import Configuration, configurations
from tasks.study.folder import StudyFolder
from tasks.study.fronts import front_rows, resampled_areas
from tasks.study.publish import tables_of
from tasks.study.row import StudyRow
from tasks.study.table_rows import FrontRow, SummaryRow
from tasks.study.training import family_epochs

SMALL_LOSS = 0.01  # one point
_DECIMALS = 4  # of a sparsity

_Pair = tuple[StudyRow, StudyRow]


class StudyLine(Record):
    """One study at a glance; accuracies, sparsities and losses are fractions.

    Attributes:
        study: name of its folder.
        architecture: of its network.
        num_results: that it has.
        seeds: that it asks for.
        epochs: of fine-tuning that its family took, all seeds together.
        base: the base; None before it has a row.
        dense: the dense control; None without one.
        sparsest: the sparsest configuration of the family that loses at most ``SMALL_LOSS`` on
            validation, against base or dense control, whichever is better there; None: none does.
        front: the family's front; None before it has one.
    """

    study: str
    architecture: str
    num_results: int
    seeds: tuple[int, ...]
    epochs: int
    base: SummaryRow | None
    dense: SummaryRow | None
    sparsest: SummaryRow | None
    front: FrontRow | None


class Gain(Record):
    """What results have over those of the same configuration and seed in another study.

    Attributes:
        num_pairs: of results.
        mean: of the gains, a fraction of the test images.
        low: lower end of its 95 % bootstrap interval over test images.
        high: upper end of it.
    """

    num_pairs: int
    mean: float
    low: float
    high: float


class FrontDifference(Record):
    """The fronts of two studies of one base network, on the same test images.

    If the other has all configurations of ``study`` and more, those are left out, so that only the
    training differs.

    Attributes:
        study: name of its folder.
        beside: name of the other's.
        left_out: labels of the other's configurations that were left out.
        epochs: of fine-tuning that the family of ``study`` took, all seeds together.
        beside_epochs: that of the other.
        num_on_front: configurations on the front of ``study``.
        beside_num_on_front: on that of the other.
        area: under what validation chooses of ``study`` at each sparsity, on test.
        beside_area: that of the other.
        difference: ``area`` minus ``beside_area``.
        low: lower end of its 95 % bootstrap interval: validation images, on which fronts are
            chosen, and test images are drawn anew, the same for both.
        high: upper end of it.
        probability: share of resamples in which ``area`` is larger; ties count half.
        num_same: results of one configuration and seed for which both have the same network, of the
            same job; they are in no gain.
        gain: of all others that both have; None without any.
        sparsest: label of the sparsest configuration among these; None without any.
        sparsest_gain: of this one.
    """

    study: str
    beside: str
    left_out: tuple[str, ...]
    epochs: int
    beside_epochs: int
    num_on_front: int
    beside_num_on_front: int
    area: float
    beside_area: float
    difference: float
    low: float
    high: float
    probability: float
    num_same: int
    gain: Gain | None
    sparsest: str | None
    sparsest_gain: Gain | None


class Studies(Record):
    """Several studies.

    Attributes:
        studies: in the order in which they were asked for.
        fronts: of those that share base and test images with an earlier one, each against the
            first such.
    """

    studies: tuple[StudyLine, ...]
    fronts: tuple[FrontDifference, ...]


@dataclass(frozen=True, slots=True)
class _Study:
    line: StudyLine
    fine_tune: FineTuneSettings
    found: tuple[Configuration, ...]
    origin: tuple[str, str] | None  # digests of base and data; None: there are several, or none

    @property
    def family(self) -> dict[tuple[str, float], Configuration]:
        """Its family by what makes a configuration the same in another study of this base.

        Rounded, because within other ranges one target sparsity is met to a few weights only.
        """
        family = (x for x in self.found if x.kind == "family")
        return {(x.label, round(x.sparsity, _DECIMALS)): x for x in family}


def compare_studies(folders: Mapping[str, StudyFolder]) -> Studies:
    """Put studies side by side, from what their folders hold.

    Args:
        folders: by name.

    Raises:
        WorkspaceError: a file cannot be read.
    """
    studies = [_read(name, folder) for name, folder in folders.items()]
    fronts = []
    for number, one in enumerate(studies):
        earlier = (x for x in studies[:number] if _are_comparable(one, x))
        if (first := next(earlier, None)) is not None:
            fronts.append(_difference(one, first))
    return Studies(studies=tuple(x.line for x in studies), fronts=tuple(fronts))


def _read(name: str, folder: StudyFolder) -> _Study:
    config, rows, tables = folder.config, folder.rows(), tables_of(folder)
    found = configurations(rows)
    by_kind = {row.kind: row for row in reversed(tables.summary)}
    line = StudyLine(
        study=name,
        architecture=config.model.architecture,
        num_results=len(rows),
        seeds=config.seeds,
        epochs=family_epochs(config.fine_tune, rows),
        base=by_kind.get("base"),
        dense=by_kind.get("dense"),
        sparsest=_sparsest(tables.summary),
        front=next((x for x in tables.fronts if x.kind == "family"), None),
    )
    origins = {(row.base_digest, row.data_digest) for row in rows}
    return _Study(line, config.fine_tune, found, origins.pop() if len(origins) == 1 else None)


def _sparsest(summary: Sequence[SummaryRow]) -> SummaryRow | None:
    level = max(
        (row.validation_mean for row in summary if row.kind in {"base", "dense"}), default=None
    )
    if level is None:
        return None
    kept = [
        row for row in summary if row.kind == "family" and level - row.validation_mean <= SMALL_LOSS
    ]
    return max(kept, key=lambda row: (row.sparsity, row.validation_mean), default=None)


def _are_comparable(one: _Study, other: _Study) -> bool:
    is_same = one.origin is not None and one.origin == other.origin
    return is_same and one.line.front is not None and other.line.front is not None


def _difference(one: _Study, beside: _Study) -> FrontDifference:
    base = next(x for x in one.found if x.kind == "base")
    left_out = _further(one, beside)
    kept = [x for x in beside.found if x not in left_out]
    families = [[x for x in found if x.kind == "family"] for found in (one.found, kept)]
    areas = resampled_areas(families, base)
    ahead = areas[0] - areas[1]
    low, high = central_95(ahead)
    front, beside_front = (front_rows(x)[0] for x in (one.found, kept))
    kept_rows = [row for x in kept for row in x.rows]
    shared = _pairs(one, beside)
    pairs = {x: [(a, b) for a, b in rows if a.key != b.key] for x, rows in shared.items()}
    sparsest = next((x for x, rows in reversed(pairs.items()) if rows), None)
    return FrontDifference(
        study=one.line.study,
        beside=beside.line.study,
        left_out=tuple(x.label for x in left_out),
        epochs=one.line.epochs,
        beside_epochs=family_epochs(beside.fine_tune, kept_rows),
        num_on_front=front.num_on_front,
        beside_num_on_front=beside_front.num_on_front,
        area=front.area_test,
        beside_area=beside_front.area_test,
        difference=front.area_test - beside_front.area_test,
        low=low,
        high=high,
        probability=float(np.mean(ahead > 0) + np.mean(ahead == 0) / 2),
        num_same=sum(map(len, shared.values())) - sum(map(len, pairs.values())),
        gain=_gain([x for rows in pairs.values() for x in rows]),
        sparsest=sparsest,
        sparsest_gain=_gain(pairs[sparsest]) if sparsest else None,
    )


def _pairs(one: _Study, beside: _Study) -> dict[str, list[_Pair]]:
    """Return the results of one configuration and seed that both have, by label, densest first."""
    pairs = {}
    for key in sorted(one.family.keys() & beside.family.keys(), key=lambda x: (x[1], x[0])):
        theirs = {row.seed: row for row in beside.family[key].rows}
        own = one.family[key].rows
        pairs[key[0]] = [(row, theirs[row.seed]) for row in own if row.seed in theirs]
    return pairs


def _gain(pairs: Sequence[_Pair]) -> Gain | None:
    if not pairs:
        return None
    found = paired_bootstrap(*map(_answers, zip(*pairs, strict=True)))
    return Gain(num_pairs=len(pairs), mean=found.difference, low=found.low, high=found.high)


def _answers(rows: Sequence[StudyRow]) -> NDArray[np.bool_]:
    return np.stack([unpack_correct(row.test) for row in rows])


def _further(one: _Study, beside: _Study) -> list[Configuration]:
    """Return what only ``beside`` has, if it has all that ``one`` has; else nothing."""
    own, others = one.family, beside.family
    if not own.keys() <= others.keys():
        return []
    return [x for key, x in others.items() if key not in own]
