"""What a run asks to be pruned and fine-tuned: its family, its rivals, and its reference lines."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from mixmatch.baselines import BASELINES
from mixmatch.chains import predecessors
from mixmatch.config import FineTuneSettings, RunConfig
from mixmatch.criteria import CRITERIA
from mixmatch.records import (
    BaseRecord,
    DataRecord,
    MemberRecord,
    PlanRecord,
    RivalsRecord,
    SensitivityRecord,
    StrategyRecord,
)
from mixmatch.rivals import RIVALS
from mixmatch.signals import Signal
from tasks.jobs import MemberJob
from tasks.labels import DENSE, member_label, rival_label
from tasks.orders import augmentation_of, member_execution


class Asked(Protocol):
    """Anything of a run that one job computes."""

    @property
    def label(self) -> str:
        """Name for tables, bars and runs."""

    @property
    def job(self) -> MemberJob:
        """What is to be computed."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a configuration has taken under one seed, rounds that made it worse included.

    Attributes:
        epochs: of fine-tuning.
        seconds: wall time of all its jobs.
        cpu_seconds: processor time of them, all threads; None: not measured.
        untrained: the first of them: what masking and new statistics alone gave.
    """

    epochs: int
    seconds: float
    cpu_seconds: float | None
    untrained: MemberRecord


@dataclass(frozen=True, slots=True)
class Member:
    """One row of the family before it is computed.

    Attributes:
        strategy: the first strategy that asks for this configuration.
        also: further strategies with the same configuration.
        criterion: key in CRITERIA.
        seed: of fine-tuning.
        job: what is to be computed.
        spent: on it in all rounds, where there are several; None: its record says it.
    """

    strategy: str
    also: tuple[str, ...]
    criterion: str
    seed: int
    job: MemberJob
    spent: Spent | None = None

    @property
    def label(self) -> str:
        """Name for tables, bars and runs, for example ``balanced/magnitude/0``."""
        return member_label(self.strategy, self.criterion, self.seed)


@dataclass(frozen=True, slots=True)
class RivalMember:
    """One rival before it is computed.

    Attributes:
        rival: key in RIVALS.
        sparsity: asked for, a fraction; 0 for the dense control.
        seed: of fine-tuning; of the mask too for ``random``.
        job: what is to be computed.
    """

    rival: str
    sparsity: float
    seed: int
    job: MemberJob

    @property
    def label(self) -> str:
        """Name for tables, bars and runs, for example ``MAG@0.9343/0``, or ``dense/0``."""
        return rival_label(self.rival, self.sparsity, self.seed)


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything that precedes the fan-out.

    Attributes:
        data: the data set.
        base: the network to compress.
        sensitivity: its scores.
        plan: ranges and strategies.
        rivals: what the rivals prune; None where there are none.
    """

    data: DataRecord
    base: BaseRecord
    sensitivity: SensitivityRecord
    plan: PlanRecord
    rivals: RivalsRecord | None = None


def members(config: RunConfig, prepared: Prepared) -> tuple[Member, ...]:
    """List the distinct members of the family: criteria, then strategies, then seeds.

    Strategies that prune equally share one member; without fine-tuning all seeds do.
    """
    found: dict[str, Member] = {}
    chain = _chain(config, prepared.plan)
    for criterion in config.criteria:
        blank = _blank(config, prepared, criterion)
        for strategy in prepared.plan.strategies:
            for seed in config.seeds:
                seed_of_job = seed if config.fine_tune.max_epochs else 0
                job = chain.job(strategy, blank.model_copy(update={"seed": seed_of_job}))
                new = Member(strategy.name, (), criterion, job.seed, job)
                known = found.get(job.key)
                found[job.key] = new if known is None else _also(known, strategy.name)
    return tuple(found.values())


def untrained(config: RunConfig, prepared: Prepared) -> tuple[Member, ...]:
    """List the same family masked and re-estimated only, one member for all seeds."""
    return members(_untrained(config), prepared)


def continued(
    member: Member, config: RunConfig, prepared: Prepared, *, epochs: int, seed: int
) -> Member:
    """Return ``member`` trained for ``epochs`` more, from where its job ends.

    An untrained one begins at the base: nothing of it would be kept.
    """
    settings = config.fine_tune.model_copy(update={"max_epochs": epochs})
    blank = _blank(config.model_copy(update={"fine_tune": settings}), prepared, member.criterion)
    start = member.job.key if member.job.fine_tune.max_epochs else None
    update = {"num_pruned": member.job.num_pruned, "seed": seed, "start": start}
    return replace(member, seed=seed, job=blank.model_copy(update=update))


def rivals(config: RunConfig, prepared: Prepared) -> tuple[RivalMember, ...]:
    """List the rivals in the order of the run file: rivals, then sparsities, then seeds."""
    found: dict[str, RivalMember] = {}
    plans = prepared.rivals.plans if prepared.rivals else ()
    for rival in config.compare:
        asked = [(x.sparsity, x.seed, x.num_pruned) for x in plans if x.rival == rival]
        if rival == DENSE:
            asked = [(0.0, None, {})]
        blank = _blank(config, prepared, rival)
        for sparsity, own_seed, num_pruned in asked:
            for seed in config.seeds if own_seed is None else (own_seed,):
                reads_seed = config.fine_tune.max_epochs > 0 or own_seed is not None
                job = blank.model_copy(
                    update={"num_pruned": num_pruned, "seed": seed if reads_seed else 0}
                )
                found.setdefault(job.key, RivalMember(rival, sparsity, job.seed, job))
    return tuple(found.values())


def references(config: RunConfig, prepared: Prepared) -> tuple[Member, ...]:
    """List the observed rankings at the largest target, masked and re-estimated, not fine-tuned.

    They show in the report what a single global ranking leaves of the base.
    """
    config = _untrained(config)
    seen = prepared.plan.observations
    largest = max((x.target for x in seen), default=0.0)
    found = []
    for one in seen:
        if one.target != largest:
            continue
        seed = config.seed if BASELINES[one.baseline].needs is Signal.NOISE else 0
        update = {"num_pruned": one.num_pruned, "seed": seed}
        job = _blank(config, prepared, one.baseline).model_copy(update=update)
        name = f"{one.baseline} at {one.target:g}"
        found.append(Member(name, (), one.baseline, seed, job))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Chain:
    """Which strategy starts from which; empty where all start from the base."""

    before: dict[str, str]
    strategies: dict[str, StrategyRecord]

    def job(self, strategy: StrategyRecord, blank: MemberJob) -> MemberJob:
        """Return the job of ``strategy``; its start is the key of the job before it."""
        first = self.before.get(strategy.digest)
        start = self.job(self.strategies[first], blank).key if first else None
        return blank.model_copy(update={"num_pruned": strategy.num_pruned, "start": start})


def _chain(config: RunConfig, plan: PlanRecord) -> _Chain:
    by_name = {x.name: x for x in reversed(plan.strategies)}
    if config.fine_tune.order != "chain" or not config.fine_tune.max_epochs:
        return _Chain({}, by_name)
    found = predecessors(plan.strategies)
    before = {by_name[name].digest: first for name, first in found.items() if first}
    return _Chain(before, by_name)


def _blank(config: RunConfig, prepared: Prepared, criterion: str) -> MemberJob:
    """Return what all jobs of one criterion or rival share."""
    rule = RIVALS[criterion] if criterion in RIVALS else CRITERIA[criterion]
    scores = prepared.sensitivity
    reads_gradients = rule.needs in {Signal.ABS_GRADIENT, Signal.GRADIENT}
    trains = config.fine_tune.max_epochs > 0
    return MemberJob(
        base=prepared.base.artifact,
        data=prepared.data.artifact,
        spec=prepared.base.spec,
        criterion=criterion,
        scores=scores.artifact if reads_gradients else None,
        curvature=scores.curvature if rule.needs is Signal.HESSIAN_GRADIENT else None,
        num_pruned={},
        fine_tune=_true_settings(config.fine_tune),
        augmentation=augmentation_of(config, prepared.data) if trains else "none",
        seed=0,
        execution=member_execution(config.engine),
    )


def _untrained(config: RunConfig) -> RunConfig:
    """Return the same run without fine-tuning."""
    settings = config.fine_tune.model_copy(update={"max_epochs": 0, "budget": None})
    return config.model_copy(update={"fine_tune": settings})


def _true_settings(settings: FineTuneSettings) -> FineTuneSettings:
    """Leave out what an untrained member does not read."""
    if settings.max_epochs:
        return settings
    return FineTuneSettings(max_epochs=0, batch_norm_images=settings.batch_norm_images)


def _also(member: Member, strategy: str) -> Member:
    if strategy == member.strategy or strategy in member.also:
        return member
    return replace(member, also=(*member.also, strategy))


def first_of(asked: Sequence[Asked]) -> dict[str, str]:
    """Say by label after which other label a job must run, because it starts from its network."""
    labels = {x.job.key: x.label for x in asked}
    return {x.label: labels[x.job.start] for x in asked if x.job.start in labels}


def with_starts(
    asked: Sequence[Asked], family: Sequence[Asked], holds: Callable[[MemberJob], bool]
) -> tuple[Asked, ...]:
    """Return ``asked`` with those of ``family`` that they start from, as far as they are missing.

    Args:
        asked: what is to be computed.
        family: all that there is. Earlier rounds of a budget are not in it: they come from the
            store, where they have just been computed.
        holds: says whether the store has a job's network.
    """
    by_key = {x.job.key: x for x in family}
    found = {x.job.key: x for x in asked}
    waiting = list(asked)
    while waiting:
        start = by_key.get(waiting.pop().job.start or "")
        if start is None or start.job.key in found or holds(start.job):
            continue
        found[start.job.key] = start
        waiting.append(start)
    return tuple(found.values())
