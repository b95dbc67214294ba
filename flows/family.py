"""The compression flow, from the data set to the registered, versioned and reported family."""

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast
from uuid import uuid4

from prefect import flow

from flows.inputs import Inputs
from flows.stages import Prepared, prepare
from flows.steps import as_effect, as_task
from flows.watch import Watch
from mixmatch.config import RunConfig
from mixmatch.errors import FamilyError
from mixmatch.records import FamilyRecord, MemberRecord, Record
from tasks import publish
from tasks.family import assemble
from tasks.jobs import Job
from tasks.orders import Member, members, references
from tasks.site import Site
from tasks.steps import make_member
from tasks.summary import RunSummary

R = TypeVar("R", bound=Record)


@dataclass(slots=True)
class _Run:
    """What one run of the flow holds in this process; nothing of it crosses a wire."""

    config: RunConfig
    site: Site
    inputs: Inputs
    watch: Watch
    hits: int = 0
    misses: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    summary: RunSummary | None = None

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


# Prefect records the flow's parameters as JSON; what is none of that is found here.
_RUN: ContextVar[_Run] = ContextVar("_RUN")


def run_family_flow(config: RunConfig, site: Site, inputs: Inputs, watch: Watch) -> RunSummary:
    """Run the flow; Prefect's server must answer.

    Raises:
        InputError: an input is wrong.
        FamilyError: no member could be computed.
    """
    progress = site.open_workspace().runs / "progress" / uuid4().hex
    run = _Run(config, site.model_copy(update={"progress": str(progress)}), inputs, watch)
    token = _RUN.set(run)
    name = f"compress-{config.run_name}"
    try:
        compression.with_options(flow_run_name=name)(
            config=config.model_dump(mode="json", by_alias=True), workspace=site.workspace
        )
    except FamilyError:
        if run.summary is None:
            raise
    finally:
        _RUN.reset(token)
        shutil.rmtree(progress, ignore_errors=True)  # there is none if nothing was computed
    return cast(RunSummary, run.summary)


@flow(name="compress", validate_parameters=False, retries=0)
def compression(config: Mapping[str, object], workspace: str) -> None:
    """Compress a network; ``config`` and ``workspace`` stand here for Prefect's record.

    Raises:
        FamilyError: members failed; those that finished are published all the same.
    """
    del config, workspace
    run = _RUN.get()
    prepared = prepare(run.config, run.site, run.watch, run.inputs, run.step)
    wanted = members(run.config, prepared.data, prepared.base, prepared.sensitivity, prepared.plan)
    run_id = as_effect(publish.open_tracking)(
        run.config, prepared.data, prepared.base, wanted, run.site
    )
    try:
        family, baselines = _family(run, prepared, wanted)
        if not family.results:
            raise FamilyError(f"All {len(family.failed)} members failed: {_reasons(family)}.")
        with run.timed("publish"):
            _publish(run, prepared, run_id, family, baselines)
    except BaseException:
        publish.fail_tracking(run_id, run.site)
        raise
    if family.failed:
        raise FamilyError(f"{len(family.failed)} members failed: {_reasons(family)}.")


def _family(
    run: _Run, prepared: Prepared, wanted: Sequence[Member]
) -> tuple[FamilyRecord, dict[str, float]]:
    """Compute the members that the store does not hold, side by side, and find the front.

    The second value holds the test accuracies of the global baselines, by name.
    """
    asked = references(
        run.config, prepared.data, prepared.base, prepared.sensitivity, prepared.plan
    )
    cached = [member for member in wanted if run.holds(member.job)]
    cached += [member for member in asked if run.finds(member.job)]
    missing = [member for member in (*wanted, *asked) if member not in cached]
    with run.timed("members"):
        records = _cached_records(run, cached)
        failed: dict[str, str] = {}
        if missing:
            failed = _compute(run, missing, records)
    family = assemble(
        run.config.run_name,
        prepared.base,
        wanted,
        records,
        cached=frozenset(member.job.key for member in cached),
        failed=failed,
    )
    done = [member for member in asked if member.job.key in records]
    accuracies = {x.strategy: records[x.job.key].test.value for x in done}
    return family, {f"{name}, not fine-tuned": value for name, value in accuracies.items()}


def _cached_records(run: _Run, cached: Sequence[Member]) -> dict[str, MemberRecord]:
    """Return what the store holds, as task runs that hit Prefect's cache, in this process."""
    task = as_task(make_member, run.site, run_name="{label}")
    futures = {
        member.job.key: task.submit(job=member.job, site=run.site, label=member.label)
        for member in cached
    }
    return {key: future.result() for key, future in futures.items()}


def _compute(
    run: _Run, missing: Sequence[Member], records: dict[str, MemberRecord]
) -> dict[str, str]:
    """Fan out what is missing, adding to ``records``; return why others failed, by label."""
    labels = [member.label for member in missing]
    run.watch.on_stage("members", f"{len(missing)} to prune, fine-tune and evaluate")
    run.watch.on_members(Path(str(run.site.progress)), labels)
    from flows.fan_out import fan_out  # noqa: PLC0415  Dask is loaded only if there is work

    outcome = fan_out(
        as_task(make_member, run.site, run_name="{label}", refresh=True),
        {member.label: member.job for member in missing},
        run.site,
        engine=run.config.engine,
    )
    keys = {member.label: member.job.key for member in missing}
    for label, record in outcome.records.items():
        records[keys[label]] = cast(MemberRecord, record)
    return dict(outcome.failures)


def _publish(
    run: _Run,
    prepared: Prepared,
    run_id: str,
    family: FamilyRecord,
    baselines: Mapping[str, float],
) -> None:
    """Track, register, version, report; each finds out by itself what is there already."""
    config, site = run.config, run.site
    run.watch.on_stage("register", "MLflow runs and model versions")
    as_effect(publish.track_results)(family, run_id, site)
    versions = as_effect(publish.register_results)(config, prepared.data, family, run_id, site)
    run.watch.on_stage("version", "data set and family under DVC")
    versioned = {
        "data": as_effect(publish.version_data)(prepared.data, site),
        "family": as_effect(publish.version_family)(config, family, site),
    }
    run.watch.on_stage("report", "one page")
    report = as_effect(publish.write_run_report)(
        family, prepared.plan, run_id, site, versions=versions, references=baselines
    )
    as_effect(publish.close_tracking)(family, run_id, report, versioned, site)
    run.summary = RunSummary.of(
        family,
        run_id=run_id,
        workspace=site.workspace,
        report=str(report),
        versions=versions,
        cache={"hits": run.hits, "misses": run.misses},
        seconds=run.seconds,
    )


def _reasons(family: FamilyRecord) -> str:
    return "; ".join(f"{label}: {reason}" for label, reason in family.failed.items())
