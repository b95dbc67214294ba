"""From a run file and the records so far to the next job: what each step is asked to do."""

from dataclasses import dataclass

import joblib

from mixmatch.baselines import BASELINES
from mixmatch.config import EngineSettings, FineTuneSettings, RunConfig
from mixmatch.criteria import CRITERIA
from mixmatch.errors import ConfigError
from mixmatch.execution import network_versions, resolve_execution
from mixmatch.records import (
    BaseRecord,
    DataRecord,
    Execution,
    ModelSpec,
    PlanRecord,
    SensitivityRecord,
)
from mixmatch.signals import Signal
from mixmatch.strategies import METHOD_TEN
from tasks.checkpoint import LocatedCheckpoint
from tasks.jobs import BaseJob, MemberJob, PlanJob, SensitivityJob, member_label


@dataclass(frozen=True, slots=True)
class Member:
    """One row of the family before it is computed.

    Attributes:
        strategy: the first strategy that asks for this configuration.
        also: further strategies with the same configuration.
        criterion: key in CRITERIA.
        seed: of fine-tuning.
        job: what is to be computed.
    """

    strategy: str
    also: tuple[str, ...]
    criterion: str
    seed: int
    job: MemberJob

    @property
    def label(self) -> str:
        """Name for tables, bars and runs, for example ``balanced/magnitude/0``."""
        return member_label(self.strategy, self.criterion, self.seed)


def lone_execution(engine: EngineSettings) -> Execution:
    """Say how the steps that run alone (base, sensitivity) compute: on all processors."""
    threads = joblib.cpu_count(only_physical_cores=True)  # no more than a container may use
    return resolve_execution(device=engine.device, precision=engine.precision, threads=threads)


def member_execution(engine: EngineSettings) -> Execution:
    """Say how members compute: with the threads that the run file sets for one job."""
    return resolve_execution(
        device=engine.device, precision=engine.precision, threads=engine.threads_per_job
    )


def base_job(config: RunConfig, data: DataRecord, checkpoint: LocatedCheckpoint | None) -> BaseJob:
    """Ask for the base network.

    Raises:
        ConfigError: the checkpoint's normalization does not fit the channels.
    """
    spec = _spec(config, data, checkpoint)
    settings = config.model.model_copy(update={"checkpoint": None})
    trains = checkpoint is None or config.model.allow_new_head
    return BaseJob(
        data=data.artifact,
        spec=spec,
        checkpoint_digest=checkpoint.digest if checkpoint else None,
        settings=settings,
        augmentation=_augmentation(config, data) if trains else "none",
        seed=config.seed,
        execution=lone_execution(config.engine),
    )


def sensitivity_job(config: RunConfig, data: DataRecord, base: BaseRecord) -> SensitivityJob:
    """Ask for the one sensitivity pass; it is float32 whatever the run's precision."""
    engine = config.engine.model_copy(update={"precision": "float32"})
    return SensitivityJob(
        base=base.artifact,
        data=data.artifact,
        spec=base.spec,
        hessian="GraSP" in config.ranges.baselines,
        batch=config.calibration_batch,
        execution=lone_execution(engine),
    )


def plan_job(config: RunConfig, base: BaseRecord, scores: SensitivityRecord) -> PlanJob:
    """Ask for ranges and strategies."""
    return PlanJob(
        base=base.artifact,
        spec=base.spec,
        scores=scores.artifact,
        ranges=config.ranges,
        strategies=config.strategies or METHOD_TEN,
        seed=config.seed if "random" in config.ranges.baselines else 0,
        versions=network_versions(),
    )


def members(
    config: RunConfig,
    data: DataRecord,
    base: BaseRecord,
    scores: SensitivityRecord,
    plan: PlanRecord,
) -> tuple[Member, ...]:
    """List the distinct members of the family: criteria, then strategies, then seeds.

    Strategies that prune equally share one member; without fine-tuning all seeds do.
    """
    found: dict[str, Member] = {}
    for criterion in config.criteria:
        for strategy in plan.strategies:
            for seed in config.seeds:
                job = _member_job(config, data, base, scores, criterion)
                job = job.model_copy(
                    update={
                        "num_pruned": strategy.num_pruned,
                        "seed": seed if config.fine_tune.max_epochs else 0,
                    }
                )
                known = found.get(job.key)
                found[job.key] = (
                    Member(strategy.name, (), criterion, job.seed, job)
                    if known is None
                    else _also(known, strategy.name)
                )
    return tuple(found.values())


def references(
    config: RunConfig,
    data: DataRecord,
    base: BaseRecord,
    scores: SensitivityRecord,
    plan: PlanRecord,
) -> tuple[Member, ...]:
    """List the global baselines at the largest target, masked and re-estimated, not fine-tuned.

    They show in the report what a single global ranking leaves of the base.
    """
    untrained = config.fine_tune.model_copy(update={"max_epochs": 0})
    config = config.model_copy(update={"fine_tune": untrained})
    found = []
    for seen in plan.observations:
        if seen.target != max(config.ranges.targets):
            continue
        job = _member_job(config, data, base, scores, seen.baseline)
        seed = config.seed if BASELINES[seen.baseline].needs is Signal.NOISE else 0
        job = job.model_copy(update={"num_pruned": seen.num_pruned, "seed": seed})
        name = f"{seen.baseline} at {seen.target:g}"
        found.append(Member(name, (), seen.baseline, seed, job))
    return tuple(found)


def _member_job(
    config: RunConfig,
    data: DataRecord,
    base: BaseRecord,
    scores: SensitivityRecord,
    criterion: str,
) -> MemberJob:
    rule = BASELINES[criterion] if criterion in BASELINES else CRITERIA[criterion]
    reads_scores = rule.needs not in {Signal.NONE, Signal.NOISE}
    return MemberJob(
        base=base.artifact,
        data=data.artifact,
        spec=base.spec,
        criterion=criterion,
        scores=scores.artifact if reads_scores else None,
        num_pruned={},
        fine_tune=_true_settings(config.fine_tune),
        augmentation=_augmentation(config, data) if config.fine_tune.max_epochs else "none",
        seed=0,
        execution=member_execution(config.engine),
    )


def _true_settings(settings: FineTuneSettings) -> FineTuneSettings:
    """Leave out what an untrained member does not read."""
    if settings.max_epochs:
        return settings
    return FineTuneSettings(max_epochs=0, batch_norm_images=settings.batch_norm_images)


def _also(member: Member, strategy: str) -> Member:
    if strategy == member.strategy or strategy in member.also:
        return member
    also = (*member.also, strategy)
    return Member(member.strategy, also, member.criterion, member.seed, member.job)


def _augmentation(config: RunConfig, data: DataRecord) -> str:
    return config.data.augmentation or data.augmentation


def _spec(config: RunConfig, data: DataRecord, checkpoint: LocatedCheckpoint | None) -> ModelSpec:
    mean, std = _normalization(config, data, checkpoint)
    return ModelSpec(
        architecture=config.model.architecture,
        arguments=config.model.arguments,
        num_classes=len(data.classes),
        image_shape=data.image_shape,
        mean=mean,
        std=std,
        classes=data.classes,
    )


def _normalization(
    config: RunConfig, data: DataRecord, checkpoint: LocatedCheckpoint | None
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Choose the run file's normalization, else the checkpoint's own, else the data set's."""
    if config.data.normalization is not None:
        return config.data.normalization
    if checkpoint is None or checkpoint.mean is None or checkpoint.std is None:
        return data.mean, data.std
    if len(checkpoint.mean) != config.data.channels:
        raise ConfigError(
            f"data.channels must be {len(checkpoint.mean)} with the normalization of "
            f"{checkpoint.label}, got {config.data.channels}; set data.normalization otherwise."
        )
    return checkpoint.mean, checkpoint.std
