"""From a study's rows to its tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from mixmatch.evaluation import unpack_correct
from mixmatch.pareto import front_shares, on_front
from mixmatch.statistics import paired_bootstrap, spread
from tasks.family import count_correct
from tasks.study.configurations import Configuration, configurations, pooled
from tasks.study.drops import References
from tasks.study.fronts import are_on_size_front, front_rows
from tasks.study.int8 import Int8Row
from tasks.study.intervals import wilson_of_mean
from tasks.study.row import StudyRow
from tasks.study.table_rows import ComparisonRow, StudyTables, SummaryRow

NUM_RESAMPLES = 10_000
_NO_INT8: Mapping[str, Int8Row] = MappingProxyType({})
SAME_SPARSITY = 0.002  # a rival whose asked sparsity is this near is at the family's sparsity


def make_tables(
    rows: Sequence[StudyRow], *, wants_dense: bool, int8: Mapping[str, Int8Row] = _NO_INT8
) -> StudyTables:
    """Put rows together over seeds, and compare the family with its rivals.

    The same rows give the same tables, whatever their order.

    Args:
        rows: of the study.
        wants_dense: whether the study asks for the dense control.
        int8: what is known of int8 files, by label of the result.
    """
    found = configurations(rows)
    return StudyTables(
        summary=_summary(found, References(rows, wants_dense=wants_dense), int8),
        comparisons=_comparisons(found),
        fronts=front_rows(found),
        best=_best(found),
    )


def _summary(
    found: Sequence[Configuration], references: References, int8: Mapping[str, Int8Row]
) -> tuple[SummaryRow, ...]:
    verdicts = _verdicts([x for x in found if x.kind == "family"])
    return tuple(
        _summary_row(x, references, verdicts.get(x.label, _NO_VERDICT)).model_copy(
            update=_rounded(x, int8)
        )
        for x in found
    )


def _rounded(found: Configuration, int8: Mapping[str, Int8Row]) -> dict[str, float]:
    """Return the fields on int8 files; none before every seed has its file."""
    files = [int8[row.label] for row in found.rows if row.label in int8]
    if len(files) < len(found.rows):
        return {}
    return {
        "int8_validation_mean": pooled([x.validation for x in files]),
        "int8_test_mean": pooled([x.test for x in files]),
        "int8_bytes": sum(x.bytes for x in files) / len(files),
    }


@dataclass(frozen=True, slots=True)
class _Verdict:
    """Where a configuration of the family stands among the others; None for what is none."""

    on_front: bool | None
    on_size_front: bool | None
    front_share: float | None


_NO_VERDICT = _Verdict(None, None, None)


def _verdicts(family: Sequence[Configuration]) -> dict[str, _Verdict]:
    """Compare the family's configurations at the mean of their seeds, by label."""
    if not family:
        return {}
    points = [x.trade_off() for x in family]
    smallest = are_on_size_front(family)
    correct = count_correct([[row.validation for row in x.rows] for x in family])
    verdicts = zip(on_front(points), smallest, front_shares(points, correct), strict=True)
    return {x.label: _Verdict(*of_one) for x, of_one in zip(family, verdicts, strict=True)}


def _summary_row(found: Configuration, references: References, verdict: _Verdict) -> SummaryRow:
    rows = found.rows
    drops = references.drops(rows)
    validation, test = ([getattr(row, x).value for row in rows] for x in ("validation", "test"))
    low, high = wilson_of_mean(found.test, min(row.test.num_images for row in rows))
    cpu = [row.cpu_seconds for row in rows if row.cpu_seconds is not None]
    return SummaryRow(
        label=found.label,
        kind=found.kind,
        name=found.name,
        also=found.also,
        criterion=found.criterion,
        asked_sparsity=found.asked_sparsity,
        num_results=len(rows),
        seeds=tuple(row.seed for row in rows if row.seed is not None),
        sparsity=found.sparsity,
        bytes=sum(row.bytes for row in rows) / len(rows),
        validation_mean=found.validation,
        validation_deviation=spread(validation).deviation,
        validation_values=tuple(validation),
        test_mean=found.test,
        test_deviation=spread(test).deviation,
        test_low=low,
        test_high=high,
        test_values=tuple(test),
        drop_from_base=drops.from_base,
        drop_from_dense=drops.from_dense,
        drop=drops.drop,
        reference=drops.reference,
        on_front=verdict.on_front,
        front_share=verdict.front_share,
        seconds=sum(row.seconds for row in rows),
        cpu_seconds=sum(cpu) if len(cpu) == len(rows) else None,
        num_bases=len({row.base_digest for row in rows}),
        on_size_front=verdict.on_size_front,
        epochs=sum(row.epochs_run + row.epochs_discarded for row in rows),
        **_drop_interval(found, references.reference_rows(rows)),
    )


def _drop_interval(found: Configuration, reference: Sequence[StudyRow]) -> dict[str, float]:
    """Return the ends of the drop's interval, if it has one."""
    if not reference or found.kind == "base":
        return {}
    before = np.stack([unpack_correct(row.test) for row in reference])
    loss = paired_bootstrap(before, found.all_correct_test(), num_resamples=NUM_RESAMPLES, seed=0)
    return {"drop_low": loss.low, "drop_high": loss.high}


def _comparisons(found: Sequence[Configuration]) -> tuple[ComparisonRow, ...]:
    family = [x for x in found if x.kind == "family"]
    rivals: dict[str, list[Configuration]] = {}
    for configuration in found:
        if configuration.kind == "rival":
            rivals.setdefault(configuration.name, []).append(configuration)
    pairs = [(ours, _nearest(ours, theirs)) for ours in family for theirs in rivals.values()]
    compared = [_comparison(ours, theirs) for ours, theirs in pairs if theirs is not None]
    return tuple(row for row in compared if row is not None)


def _best(found: Sequence[Configuration]) -> tuple[ComparisonRow, ...]:
    """Compare, at each asked sparsity, the two that validation would choose."""
    rivals = [x for x in found if x.kind == "rival"]
    compared = []
    for asked in sorted({x.asked_sparsity or 0.0 for x in rivals}):
        theirs = [x for x in rivals if x.asked_sparsity == asked]
        ours = [x for x in found if x.kind == "family" and abs(x.sparsity - asked) <= SAME_SPARSITY]
        if ours:
            compared.append(_comparison(_most_accurate(ours), _most_accurate(theirs)))
    return tuple(row for row in compared if row is not None)


def _most_accurate(found: Sequence[Configuration]) -> Configuration:
    return max(found, key=lambda x: (x.validation, x.label))


def _nearest(ours: Configuration, theirs: Sequence[Configuration]) -> Configuration | None:
    """Return the rival's configuration at our sparsity, or None if it has none there."""

    def distance(rival: Configuration) -> float:
        return abs((rival.asked_sparsity or 0.0) - ours.sparsity)

    nearest = min(theirs, key=distance)
    return nearest if distance(nearest) <= SAME_SPARSITY else None


def _comparison(ours: Configuration, theirs: Configuration) -> ComparisonRow | None:
    """Compare on the seeds that both have finished; None if there is none."""
    finished = {row.seed for row in theirs.rows}
    seeds = [row.seed for row in ours.rows if row.seed in finished]
    if not seeds:
        return None
    right, rival_right = ours.correct_test(seeds), theirs.correct_test(seeds)
    result = paired_bootstrap(right, rival_right, num_resamples=NUM_RESAMPLES, seed=0)
    compared = [row for row in (*ours.rows, *theirs.rows) if row.seed in seeds]
    return ComparisonRow(
        label=ours.label,
        rival_label=theirs.label,
        strategy=ours.name,
        criterion=ours.criterion or "",
        sparsity=ours.sparsity,
        rival=theirs.name,
        asked_sparsity=theirs.asked_sparsity or 0.0,
        rival_sparsity=theirs.sparsity,
        seeds=tuple(seed for seed in seeds if seed is not None),
        test=float(right.mean()),
        rival_test=float(rival_right.mean()),
        difference=result.difference,
        low=result.low,
        high=result.high,
        probability=result.probability,
        num_bases=len({row.base_digest for row in compared}),
    )
