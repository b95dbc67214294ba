"""A compression run as its caller sees it: services up, the flow, services down."""

import time
from typing import TYPE_CHECKING

from flows.announce import failures_emitted, failures_told
from flows.inputs import Inputs, check_engine, check_inputs, locate_inputs
from flows.local_workers import LocalWorkers, local_workers
from flows.services import services
from flows.watch import Watch
from mixmatch.config import RunConfig
from mixmatch.strategies import METHOD_TEN
from tasks.site import Site

if TYPE_CHECKING:
    from tasks.summary import RunSummary


def compress(
    config: RunConfig, site: Site, *, watch: Watch, through_flow: bool = False
) -> "RunSummary":
    """Turn one trained network into a tracked, registered, versioned family.

    A run that is finished already is answered from the store and MLflow; nothing is started then.

    Members that fail are named in the summary; the others are kept and published, and the flow's
    run ends as failed.

    Args:
        config: the run file.
        site: workspace and store.
        watch: is told what happens.
        through_flow: whether a finished run goes through the flow all the same, which looks at
            DVC's remote too and writes the report anew.

    Raises:
        InputError: what the run file names is missing or wrong.
        FamilyError: no member of the family could be computed.
        ServiceError: a server that the run needs does not answer.
    """
    started = time.monotonic()
    with failures_told(config):
        inputs = _located(config, site, watch)
        if not through_flow and (stored := _stored(config, site, inputs, watch)):
            return _timed(stored, started)
        # What a finished run has left to do needs no workers.
        computes = not through_flow
        return _timed(_compress(config, site, inputs, watch, computes=computes), started)


def compress_if_changed(config: RunConfig, site: Site, *, watch: Watch) -> "RunSummary | str":
    """Do as ``compress``, unless a finished run has come from the same settings and sources.

    Returns:
        What the run comes to; or the id of that earlier MLflow run, and nothing was done.

    Raises:
        MixMatchError: as ``compress``.
    """
    from tasks.up_to_date import finished_run, note_finished, run_job  # noqa: PLC0415  MLflow

    started = time.monotonic()
    with failures_told(config):
        inputs = _located(config, site, watch)
        job = run_job(config, inputs.data, inputs.checkpoint)
        earlier = finished_run(job, site)
        # Its versions may have lost their aliases to another run's since, or be gone. What came of
        # a budget is only known by going through the flow.
        if earlier and (config.fine_tune.budget or _stored(config, site, inputs, watch)):
            return earlier
        summary = _timed(_compress(config, site, inputs, watch, computes=True), started)
    if not summary.failed:
        note_finished(job, summary.run_id, site)
    return summary


def _located(config: RunConfig, site: Site, watch: Watch) -> Inputs:
    watch.on_stage("inputs", "data set, checkpoint, network")
    return locate_inputs(config, site)


def _compress(
    config: RunConfig, site: Site, inputs: Inputs, watch: Watch, *, computes: bool
) -> "RunSummary":
    check_inputs(config, inputs, site)
    check_engine(config.engine)

    def begin() -> None:
        if computes:
            _begin(config, workers)

    with (
        local_workers(site) as workers,
        services(site, watch, load="flows.family", meanwhile=begin),
        failures_emitted(config),
    ):
        from flows.family import run_family_flow  # noqa: PLC0415  Prefect and torch

        return run_family_flow(config, site, inputs, watch, workers)


def _begin(config: RunConfig, workers: LocalWorkers) -> None:
    """Begin to start the workers; a run that is not finished needs them, but for rare ones."""
    from flows.cluster import num_workers  # noqa: PLC0415  Dask takes a second to load
    from tasks.orders import member_execution  # noqa: PLC0415  torch takes seconds to load

    engine = config.engine
    is_accelerated = member_execution(engine).device != "cpu"
    if engine.kind == "local" and not is_accelerated:
        num_members = (
            len(config.strategies or METHOD_TEN) * len(config.criteria) * len(config.seeds)
        )
        workers.begin(num_workers(engine, num_members, accelerated=False), engine.threads_per_job)


def _stored(config: RunConfig, site: Site, inputs: Inputs, watch: Watch) -> "RunSummary | None":
    watch.on_stage("store", "what is there already")
    from flows.stored import answer_from_store  # noqa: PLC0415  torch takes seconds to load

    return answer_from_store(config, site, inputs)


def _timed(summary: "RunSummary", started: float) -> "RunSummary":
    seconds = {**summary.seconds, "total": time.monotonic() - started}
    return summary.model_copy(update={"seconds": seconds})
