"""From finished members to the family: the front, how sure it is, and what is registered."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mixmatch.digests import json_digest
from mixmatch.evaluation import unpack_correct
from mixmatch.pareto import TradeOff, front_shares, on_front
from mixmatch.records import BaseRecord, FamilyRecord, MemberRecord, Result
from tasks.orders import Member


def assemble(
    name: str,
    base: BaseRecord,
    members: Sequence[Member],
    records: Mapping[str, MemberRecord],
    *,
    cached: frozenset[str],
    failed: Mapping[str, str],
) -> FamilyRecord:
    """Put the family together and find its Pareto front over (validation accuracy, sparsity).

    Seeds of one configuration are one point, at their mean; all of them carry its verdict.

    Args:
        name: of the run.
        base: the network they come from.
        members: all that were asked for, in order.
        records: those that finished, by job key.
        cached: keys that were found in the store.
        failed: reasons by member label.
    """
    finished = [member for member in members if member.job.key in records]
    points = _points(finished)
    verdicts = _verdicts(points, records)
    return FamilyRecord(
        name=name,
        base=base,
        results=tuple(
            _result(member, records[member.job.key], base, verdicts[_point_of(member)], cached)
            for member in finished
        ),
        failed=dict(failed),
    )


def registered(family: FamilyRecord) -> tuple[Result, ...]:
    """Choose what goes to the registry: per point on the front its best seed on validation.

    Among equally good seeds the lowest is chosen.
    """
    best: dict[tuple[str, str], Result] = {}
    for result in sorted(family.results, key=lambda r: (-r.member.validation.value, r.seed)):
        if result.on_front:
            best.setdefault((result.strategy, result.criterion), result)
    chosen = {result.key for result in best.values()}
    return tuple(result for result in family.results if result.key in chosen)


def _point_of(member: Member) -> str:
    """Name the configuration without its seed."""
    return json_digest({**member.job.inputs, "seed": None})


def _points(members: Sequence[Member]) -> dict[str, list[Member]]:
    points: dict[str, list[Member]] = {}
    for member in members:
        points.setdefault(_point_of(member), []).append(member)
    return points


def _verdicts(
    points: Mapping[str, Sequence[Member]], records: Mapping[str, MemberRecord]
) -> dict[str, tuple[bool, float]]:
    """Say of each point whether it is on the front, and in which share of resamples."""
    if not points:
        return {}
    trade_offs, correct = [], []
    for name, members in points.items():
        of_point = [records[member.job.key] for member in members]
        right = _mean_correct(of_point)
        correct.append(right)
        sparsity = sum(record.sparsity for record in of_point) / len(of_point)
        accuracy = sum(record.validation.value for record in of_point) / len(of_point)
        trade_offs.append(TradeOff(name, sparsity, accuracy))
    shares = front_shares(trade_offs, np.stack(correct))
    kept = on_front(trade_offs)
    return dict(zip(points, zip(kept, shares, strict=True), strict=True))


def _mean_correct(records: Sequence[MemberRecord]) -> NDArray[np.float64]:
    """Return, per validation image, the fraction of seeds that classified it correctly."""
    right = [unpack_correct(record.validation) for record in records]
    mean: NDArray[np.float64] = np.stack(right).mean(axis=0)
    return mean


def _result(
    member: Member,
    record: MemberRecord,
    base: BaseRecord,
    verdict: tuple[bool, float],
    cached: frozenset[str],
) -> Result:
    return Result(
        strategy=member.strategy,
        also=member.also,
        criterion=member.criterion,
        seed=member.seed,
        member=record,
        accuracy_drop=base.test.value - record.test.value,
        cached=member.job.key in cached,
        on_front=verdict[0],
        front_share=verdict[1],
        key=member.job.key,
    )
