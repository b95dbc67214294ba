"""From finished members to the family: its fronts, how sure they are, and what is registered."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mixmatch.evaluation import unpack_correct
from mixmatch.halving import survivors
from mixmatch.pareto import TradeOff, front_shares, on_front, on_size_front
from mixmatch.records import (
    Accuracy,
    BaseRecord,
    FamilyRecord,
    MemberRecord,
    Result,
    RivalResult,
)
from tasks.members import Member, RivalMember

Point = tuple[str, str]  # strategy and criterion


def assemble(
    name: str,
    base: BaseRecord,
    members: Sequence[Member],
    records: Mapping[str, MemberRecord],
    *,
    cached: frozenset[str],
    failed: Mapping[str, str],
    rivals: Sequence[RivalMember] = (),
) -> FamilyRecord:
    """Put the family together and find its two Pareto fronts, both with validation accuracy.

    One is over sparsity, the other over bytes on disk. Seeds of one configuration are one point, at
    their mean; all of them carry its verdict. Under a budget seeds share what none of them has
    trained: it counts for each of them, and is one result, under the first.

    Args:
        name: of the run.
        base: the network they come from.
        members: all that were asked for, in order.
        records: those that finished, by job key.
        cached: keys that were found in the store.
        failed: reasons by label.
        rivals: all that were asked for, in order.
    """
    finished = [member for member in members if member.job.key in records]
    points = _points(finished)
    verdicts = _verdicts(points, records)
    return FamilyRecord(
        name=name,
        base=base,
        results=tuple(
            _result(member, records[member.job.key], base, verdicts[_point_of(member)], cached)
            for member in _distinct(finished)
        ),
        failed=dict(failed),
        rivals=tuple(
            _rival_result(rival, records[rival.job.key], base, cached)
            for rival in rivals
            if rival.job.key in records
        ),
    )


def registered(family: FamilyRecord) -> tuple[Result, ...]:
    """Choose what goes to the registry: per point on either front its best seed on validation.

    Among equally good seeds the lowest is chosen.
    """
    best: dict[tuple[str, str], Result] = {}
    for result in sorted(family.results, key=lambda r: (-r.member.validation.value, r.seed)):
        if result.on_front or result.on_size_front:
            best.setdefault((result.strategy, result.criterion), result)
    chosen = {result.key for result in best.values()}
    return tuple(result for result in family.results if result.key in chosen)


def hopeful(
    members: Sequence[Member], records: Mapping[str, MemberRecord], num: int
) -> list[Point]:
    """Choose the ``num`` configurations that most likely reach the front if they are trained on.

    Args:
        members: one per configuration, all finished.
        records: by job key.
        num: how many, at least 1; all if there are fewer.
    """
    names = {"/".join(_point_of(member)): member for member in members}
    of_points = {name: [records[member.job.key]] for name, member in names.items()}
    trade_offs = [_trade_off(name, of) for name, of in of_points.items()]
    shares = front_shares(trade_offs, _count_correct(of_points.values()))
    chosen = survivors(trade_offs, shares, min(num, len(names)))
    return [_point_of(names[name]) for name in chosen]


def count_correct(points: Sequence[Sequence[Accuracy]]) -> NDArray[np.int64]:
    """Return, per point and image, how many seeds were right, as if all had equally many seeds.

    In whole numbers: of sums of thirds the last bits differ, and what ties would seem to win.

    Args:
        points: the accuracies of each point's seeds, at least one, all on the same images.

    Returns:
        Shape (points, images): counts out of the least common multiple of the numbers of seeds.
    """
    whole = math.lcm(*(len(seeds) for seeds in points))
    counts = [
        np.stack([unpack_correct(x) for x in seeds]).sum(axis=0) * (whole // len(seeds))
        for seeds in points
    ]
    return np.stack(counts).astype(np.int64)


def _distinct(members: Sequence[Member]) -> tuple[Member, ...]:
    """Leave out members whose job is an earlier one's."""
    found: dict[str, Member] = {}
    for member in members:
        found.setdefault(member.job.key, member)
    return tuple(found.values())


def _point_of(member: Member) -> Point:
    """Name the configuration without its seed: strategy and criterion."""
    return member.strategy, member.criterion


def _points(members: Sequence[Member]) -> dict[Point, list[Member]]:
    points: dict[Point, list[Member]] = {}
    for member in members:
        points.setdefault(_point_of(member), []).append(member)
    return points


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What is true of a configuration, whatever the seed."""

    on_front: bool
    on_size_front: bool
    mean_validation: float
    front_share: float


def _verdicts(
    points: Mapping[Point, Sequence[Member]], records: Mapping[str, MemberRecord]
) -> dict[Point, _Verdict]:
    """Compare the configurations at the mean of their finished seeds."""
    if not points:
        return {}
    of_points = [[records[member.job.key] for member in members] for members in points.values()]
    trade_offs = [
        _trade_off("/".join(name), of) for name, of in zip(points, of_points, strict=True)
    ]
    shares = front_shares(trade_offs, _count_correct(of_points))
    smallest = on_size_front(_count_bytes(of_points), [x.accuracy for x in trade_offs])
    verdicts = zip(on_front(trade_offs), smallest, trade_offs, shares, strict=True)
    return {
        name: _Verdict(sparse, small, point.accuracy, share)
        for name, (sparse, small, point, share) in zip(points, verdicts, strict=True)
    }


def _trade_off(name: str, records: Sequence[MemberRecord]) -> TradeOff:
    """Average by whole numbers, so that equal points are equal whatever the order of seeds."""
    num_nonzero = sum(record.num_nonzero for record in records)
    num_correct = sum(record.validation.num_correct for record in records)
    return TradeOff(
        name,
        sparsity=1 - num_nonzero / sum(record.num_weights for record in records),
        accuracy=num_correct / sum(record.validation.num_images for record in records),
    )


def _count_bytes(points: Sequence[Sequence[MemberRecord]]) -> list[int]:
    """Return the bytes of each point's seeds, as if all had equally many: whole numbers again."""
    whole = math.lcm(*(len(seeds) for seeds in points))
    return [sum(x.artifact.size_bytes for x in seeds) * (whole // len(seeds)) for seeds in points]


def _count_correct(points: Iterable[Sequence[MemberRecord]]) -> NDArray[np.int64]:
    return count_correct([[record.validation for record in records] for records in points])


def _result(
    member: Member,
    record: MemberRecord,
    base: BaseRecord,
    verdict: _Verdict,
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
        on_front=verdict.on_front,
        on_size_front=verdict.on_size_front,
        mean_validation=verdict.mean_validation,
        front_share=verdict.front_share,
        key=member.job.key,
    )


def _rival_result(
    rival: RivalMember, record: MemberRecord, base: BaseRecord, cached: frozenset[str]
) -> RivalResult:
    return RivalResult(
        rival=rival.rival,
        sparsity=rival.sparsity,
        seed=rival.seed,
        member=record,
        accuracy_drop=base.test.value - record.test.value,
        cached=rival.job.key in cached,
        key=rival.job.key,
    )
