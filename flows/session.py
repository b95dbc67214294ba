"""One run of a flow in this process: what it reads, whom it tells, what it has counted."""

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast
from uuid import uuid4

from prefect import Flow

from flows.abandonment import beat_of_this_run
from flows.inputs import Inputs
from flows.local_workers import LocalWorkers
from flows.steps import as_task
from flows.watch import Watch
from mixmatch.config import RunConfig
from mixmatch.records import Record
from tasks.jobs import Job
from tasks.leases import Lease, held
from tasks.site import Site

R = TypeVar("R", bound=Record)


@dataclass(slots=True)
class Session:
    """What one run of a flow holds in this process; nothing of it crosses a wire.

    Attributes:
        config: the run file.
        site: workspace and store, with the folder of this run's progress.
        inputs: what the run file names, as it was found.
        watch: is told what happens.
        lease: says that this process works on the workspace.
        workers: of this machine, for all that is computed side by side.
        hits: steps that the store held, of those that count.
        misses: steps that had to be computed, likewise.
        seconds: wall time by stage.
    """

    config: RunConfig
    site: Site
    inputs: Inputs
    watch: Watch
    lease: Lease
    workers: LocalWorkers
    hits: int = 0
    misses: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    def finds(self, job: Job) -> bool:
        """Ask the store whether the job is done."""
        return self.site.open_store().find(job.step, job.key, job.kind) is not None

    def holds(self, job: Job) -> bool:
        """Ask the store whether the job is done, and count the answer."""
        found = self.finds(job)
        self.hits += found
        self.misses += not found
        return found

    def step(self, step: Callable[..., R], *, job: Job, **arguments: Any) -> R:  # noqa: ANN401  each step's own
        """Run one step of the preparation as a Prefect task, in this process."""
        with self.timed(job.step):
            task = as_task(step, self.site, refresh=not self.holds(job))
            return cast(R, task(job=job, **arguments))

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the wall time of the body to ``stage``."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.monotonic() - started


def run_flow(
    name: str,
    body: Callable[[Session], None],
    config: RunConfig,
    site: Site,
    *,
    inputs: Inputs,
    watch: Watch,
    workers: LocalWorkers,
) -> None:
    """Run ``body`` as the Prefect flow ``name``; what it raises ends the flow's run as failed.

    Args:
        name: of the flow; its run is called ``NAME-RUN``.
        body: the work, in this process; nothing of its session crosses a wire.
        config: the run file; Prefect keeps it as a parameter of the flow's run.
        site: workspace and store.
        inputs: what the run file names.
        watch: is told what happens.
        workers: of this machine; they outlive the flow.
    """
    workspace = site.open_workspace()
    progress = workspace.runs / "progress" / uuid4().hex
    own_site = site.model_copy(update={"progress": str(progress)})

    def run(config: Mapping[str, object], workspace: str, owner: str) -> None:
        del config, workspace, owner  # recorded by Prefect; the session holds them as they are
        if beat := beat_of_this_run():
            session.lease.on_beat(beat)
        body(session)

    hosted = Flow(
        run,
        name=name,
        flow_run_name=f"{name}-{config.run_name}",
        validate_parameters=False,
        retries=0,
    )
    with held(workspace) as lease:
        session = Session(config, own_site, inputs, watch, lease, workers)
        try:
            hosted(
                config=config.model_dump(mode="json", by_alias=True),
                workspace=site.workspace,
                owner=str(lease.owner),
            )
        finally:
            shutil.rmtree(progress, ignore_errors=True)  # there is none if nothing was computed
