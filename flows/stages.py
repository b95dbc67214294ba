"""The order of the stages that lead to a plan: data, base, sensitivity, targets, plan, rivals.

Every stage asks the store first. How a stage is run, plainly or as a Prefect task, is the caller's.
"""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from flows.inputs import Inputs, locate_inputs
from flows.watch import Watch
from mixmatch.config import RunConfig
from mixmatch.errors import ArtifactError
from mixmatch.records import BaseRecord, DataRecord, PlanRecord, Record
from tasks.jobs import Job, data_job
from tasks.leases import held
from tasks.members import Prepared
from tasks.orders import base_job, plan_job, rivals_job, sensitivity_job, targets_job
from tasks.site import Site
from tasks.steps import (
    choose_targets,
    fetch_data,
    make_base,
    make_plan,
    measure_sensitivity,
    plan_rivals,
)

R = TypeVar("R", bound=Record)


class RunStep(Protocol):
    """How one step is run; ``arguments`` follow the job by name."""

    def __call__(self, step: Callable[..., R], *, job: Job, **arguments: Any) -> R:  # noqa: ANN401  each step's own
        """Return the step's record."""


def run_plainly(step: Callable[..., R], *, job: Job, **arguments: Any) -> R:  # noqa: ANN401  each step's own
    """Call the step in this process, without an orchestrator."""
    return step(job=job, **arguments)


def prepare_data(config: RunConfig, site: Site, watch: Watch) -> DataRecord:
    """Fetch the data set, without an orchestrator.

    Raises:
        DataError: it is missing, corrupt or empty.
    """
    with held(site.open_workspace()):
        return _data(config, site, watch, locate_inputs(config, site), run_plainly)


def prepare_base(config: RunConfig, site: Site, watch: Watch) -> tuple[DataRecord, BaseRecord]:
    """Fetch the data set, then load or train the base network, without an orchestrator.

    Raises:
        DataError: the data set is missing, corrupt or empty.
        CheckpointError: the checkpoint is missing, corrupt or of another architecture.
        ConfigError: the architecture is unknown or refuses the image size.
    """
    inputs = locate_inputs(config, site)
    with held(site.open_workspace()):
        data = _data(config, site, watch, inputs, run_plainly)
        return data, _base(config, site, watch, inputs, data=data, run=run_plainly)


def prepare_plan(
    config: RunConfig, site: Site, watch: Watch
) -> tuple[DataRecord, BaseRecord, PlanRecord]:
    """Return data set, base and plan, without an orchestrator; trains no pruned network.

    Raises:
        InputError: as ``prepare_base``, and a layer pattern that matches nothing.
    """
    with held(site.open_workspace()):
        prepared = prepare(config, site, watch, locate_inputs(config, site), run_plainly)
    return prepared.data, prepared.base, prepared.plan


def prepare(config: RunConfig, site: Site, watch: Watch, inputs: Inputs, run: RunStep) -> Prepared:
    """Run everything that precedes the fan-out, each step by ``run``."""
    data = _data(config, site, watch, inputs, run)
    base = _base(config, site, watch, inputs, data=data, run=run)
    watch.on_stage("sensitivity", f"{data.num_images['calibration']} images")
    scores = run(measure_sensitivity, job=sensitivity_job(config, data, base), site=site)
    targets = None
    if search := targets_job(config, data, base, scores):
        watch.on_stage("targets", "global sparsities, by untrained validation accuracy")
        targets = run(choose_targets, job=search, site=site)
    watch.on_stage("plan", "ranges and strategies")
    plan = run(make_plan, job=plan_job(config, base, scores, targets), site=site)
    rivals = None
    if asked := rivals_job(config, base, scores, plan):
        watch.on_stage("rivals", ", ".join(asked.rivals))
        rivals = run(plan_rivals, job=asked, site=site)
    return Prepared(data, base, scores, plan, rivals)


def _data(config: RunConfig, site: Site, watch: Watch, inputs: Inputs, run: RunStep) -> DataRecord:
    watch.on_stage("data", config.data.name)
    digest = inputs.data.source_digest
    job = data_job(config.data, digest, config.calibration_fraction, config.seed)
    return run(fetch_data, job=job, settings=config.data, located=inputs.data, site=site)


def _base(
    config: RunConfig,
    site: Site,
    watch: Watch,
    inputs: Inputs,
    *,
    data: DataRecord,
    run: RunStep,
) -> BaseRecord:
    watch.on_stage("base", f"{config.model.architecture}, {_origin(config)}")
    job = base_job(config, data, inputs.checkpoint)
    base = run(make_base, job=job, checkpoint=inputs.checkpoint, site=site)
    if base.spec != job.spec:  # of which all later steps build the network
        raise ArtifactError(
            f"The store {site.store} must hold the base as it was asked for, but its record "
            f"{job.key} describes another network ({base.spec.architecture}); delete that record."
        )
    return base


def _origin(config: RunConfig) -> str:
    if config.model.checkpoint is None:
        return f"trained here for {config.model.train.epochs} epochs"
    return f"from {config.model.checkpoint}"
