"""From a run file and the records so far to the next job: what each step is asked to do."""

from collections.abc import Iterable

import joblib

from mixmatch.config import EngineSettings, RangeSettings, RunConfig
from mixmatch.config.ranges import AUTO
from mixmatch.errors import ConfigError
from mixmatch.execution import network_versions, resolve_execution
from mixmatch.records import (
    Artifact,
    BaseRecord,
    DataRecord,
    Execution,
    ModelSpec,
    PlanRecord,
    SensitivityRecord,
    TargetsRecord,
)
from mixmatch.rivals import RIVALS
from mixmatch.strategies import METHOD_TEN
from tasks.checkpoint import LocatedCheckpoint
from tasks.factory import code_digest
from tasks.jobs import BaseJob, PlanJob, RivalsJob, SensitivityJob, TargetsJob
from tasks.labels import DENSE


def lone_execution(engine: EngineSettings) -> Execution:
    """Say how the steps that run alone (base, sensitivity) compute: on all processors."""
    threads = joblib.cpu_count(only_physical_cores=True)  # no more than a container may use
    # The accelerators of a cluster are the members'; these steps take what this machine has, but
    # in the members' precision, since a drop is between the two.
    device = "auto" if engine.kind == "dask" and engine.device == "cuda" else engine.device
    precision = member_execution(engine).precision
    return resolve_execution(
        device=device, precision=precision, threads=threads, compiled=engine.compile_
    )


def member_execution(engine: EngineSettings) -> Execution:
    """Say how members compute: with the threads that the run file sets for one job."""
    return resolve_execution(
        device=engine.device,
        precision=engine.precision,
        threads=engine.threads_per_job,
        compiled=engine.compile_,
        elsewhere=engine.kind == "dask",
    )


def base_job(config: RunConfig, data: DataRecord, checkpoint: LocatedCheckpoint | None) -> BaseJob:
    """Ask for the base network.

    Raises:
        ConfigError: the checkpoint's normalization does not fit the channels.
    """
    spec = _spec(config, data, checkpoint)
    settings = config.model.model_copy(update={"checkpoint": None, "roles": {}})
    trains = checkpoint is None or config.model.allow_new_head
    return BaseJob(
        data=data.artifact,
        spec=spec,
        checkpoint_digest=checkpoint.digest if checkpoint else None,
        settings=settings,
        augmentation=augmentation_of(config, data) if trains else "none",
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
        hessian=_needs_hessian((*observed_baselines(config), *config.compare)),
        batch=config.calibration_batch,
        execution=lone_execution(engine),
    )


def targets_job(
    config: RunConfig, data: DataRecord, base: BaseRecord, scores: SensitivityRecord
) -> TargetsJob | None:
    """Ask for the global targets where the run file leaves them to the run."""
    if config.ranges.targets != AUTO or config.ranges.preset is not None:
        return None
    return TargetsJob(
        base=base.artifact,
        data=data.artifact,
        spec=base.spec,
        scores=scores.artifact,
        curvature=_curvature(scores, config.ranges.baselines),
        ranges=config.ranges,
        roles=_roles(config),
        criteria=config.criteria,
        batch_norm_images=config.fine_tune.batch_norm_images,
        seed=_seed_of_ranges(config),
        execution=lone_execution(config.engine),
    )


def plan_job(
    config: RunConfig,
    base: BaseRecord,
    scores: SensitivityRecord,
    targets: TargetsRecord | None = None,
) -> PlanJob:
    """Ask for ranges and strategies.

    Args:
        config: the run file.
        base: the network to compress.
        scores: what the sensitivity pass measured.
        targets: what was found where the run file leaves them to the run.
    """
    unread: dict[str, object] = {"largest_loss": RangeSettings().largest_loss}
    if config.ranges.targets == AUTO:
        unread["targets"] = targets.targets if targets else RangeSettings().targets
    return PlanJob(
        base=base.artifact,
        spec=base.spec,
        scores=scores.artifact,
        curvature=_curvature(scores, observed_baselines(config)),
        ranges=config.ranges.model_copy(update=unread),
        roles=_roles(config),
        strategies=config.strategies or METHOD_TEN,
        target_sparsity=config.target_sparsity or None,
        seed=_seed_of_ranges(config),
        versions=network_versions(),
    )


def rivals_job(
    config: RunConfig, base: BaseRecord, scores: SensitivityRecord, plan: PlanRecord
) -> RivalsJob | None:
    """Ask what the rivals prune at the sparsities of the family; None if there are none to prune.

    Strategies of equal sparsity share one comparison.
    """
    rivals = tuple(name for name in config.compare if name != DENSE)
    if not rivals:
        return None
    reached = dict.fromkeys(x.sparsity for x in plan.strategies if x.sparsity > 0)
    return RivalsJob(
        base=base.artifact,
        spec=base.spec,
        scores=scores.artifact,
        curvature=_curvature(scores, rivals),
        rivals=rivals,
        sparsities=config.compare_sparsities or tuple(sorted(reached)),
        seeds=config.seeds if "random" in rivals else None,
        versions=network_versions(),
    )


def augmentation_of(config: RunConfig, data: DataRecord) -> str:
    """Say how training images vary: as the run file says, else as suits the data set."""
    return config.data.augmentation or data.augmentation


def observed_baselines(config: RunConfig) -> tuple[str, ...]:
    """Name the global rankings that the ranges are observed from; none with a preset."""
    return () if config.ranges.preset else config.ranges.baselines


def _needs_hessian(rankings: Iterable[str]) -> bool:
    return any(RIVALS[name].needs_hessian for name in rankings)


def _curvature(scores: SensitivityRecord, rankings: Iterable[str]) -> Artifact | None:
    """Return what only some rankings read, so that the others' jobs do not depend on it."""
    return scores.curvature if _needs_hessian(rankings) else None


def _roles(config: RunConfig) -> dict[str, str] | None:
    return {pattern: role.value for pattern, role in config.model.roles.items()} or None


def _seed_of_ranges(config: RunConfig) -> int:
    return config.seed if "random" in config.ranges.baselines else 0


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
        code_digest=code_digest(config.model.architecture),
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
