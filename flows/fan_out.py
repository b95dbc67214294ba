"""Run many jobs side by side in worker processes; survive the death of any of them.

Dask forgets or strands what a dead worker did, so whatever is not done at the end of a round is
submitted again, to a fresh cluster or to the existing one. What did finish is never computed twice.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any, cast
from uuid import UUID

from prefect import Flow, Task
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext

from flows.cluster import num_workers
from flows.job_runner import JobRunner, unchanging_settings
from flows.local_workers import LocalWorkers
from flows.scheduler import existing_cluster
from flows.settling import crash_lost, settle_known
from flows.steps import for_workers_elsewhere, sentence_of
from flows.submission import (
    AHEAD_PER_WORKER,
    FanOutcome,
    OnRecord,
    Running,
    Work,
    as_completed,
    fail_followers,
)
from mixmatch.config import EngineSettings
from mixmatch.records import Record
from tasks.jobs import Job
from tasks.owners import Owner
from tasks.site import Site

_SETTLE_S = 15.0
_ROUND: ContextVar[Callable[[], None]] = ContextVar("round")


@dataclass(slots=True)
class _UnderWay:
    """What one round has begun.

    Attributes:
        flow_run_id: of its subflow; None before that has begun.
        running: by label, the jobs that were submitted and have not ended.
    """

    flow_run_id: UUID | None = None
    running: Running = field(default_factory=dict)


def fan_out(
    task: Task[..., Any],
    jobs: Mapping[str, Job],
    site: Site,
    *,
    engine: EngineSettings,
    workers: LocalWorkers,
    after: Mapping[str, str] | None = None,
    on_record: OnRecord | None = None,
    rounds: int = 3,
) -> FanOutcome:
    """Run ``task(job, site, label)`` for each job, inside a flow; one failure loses no other.

    Each round is a subflow on Dask workers, ours or those of ``engine.address``, one job per
    process. A job that raises has failed, and with it those that come after it. A job whose worker
    died is run again in the next round.

    Args:
        task: made by ``flows.steps.as_task``; its results are found by the job's key.
        jobs: by label, which becomes the name of the task run.
        site: workspace and store, for the workers.
        engine: how many workers, and threads per job.
        workers: of this machine, where ``engine`` asks for them; they stay afterwards.
        after: by label the label of the job that must have succeeded before; those that are no
            jobs of this fan-out are done already.
        on_record: called in this process with label and record as soon as a job has succeeded.
        rounds: how often a job is tried that takes its worker with it.
    """
    outcome = FanOutcome()
    waits = _within(after or {}, jobs)
    work = Work(task, site, engine, workers, waits, on_record, _is_accelerated(jobs))
    reasons: dict[str, str] = {}
    for number in range(1, rounds + 1):
        left = {label: job for label, job in jobs.items() if label not in _done(outcome)}
        if not left:
            break
        reasons = _run_round(work, left, outcome, number)
    for label, reason in reasons.items():
        outcome.failures[label] = f"Its worker process died in each of {rounds} rounds ({reason})."
    fail_followers(work, {x: job for x, job in jobs.items() if x not in _done(outcome)}, outcome)
    return outcome


def _within(after: Mapping[str, str], jobs: Mapping[str, Job]) -> dict[str, str]:
    """Leave out what this fan-out does not wait for."""
    return {label: first for label, first in after.items() if label in jobs and first in jobs}


def _done(outcome: FanOutcome) -> Collection[str]:
    return outcome.records.keys() | outcome.failures.keys()


def _run_round(
    work: Work, jobs: Mapping[str, Job], outcome: FanOutcome, number: int
) -> dict[str, str]:
    """Run ``jobs`` in one subflow, adding to ``outcome``; say by label what is lost, and why."""
    lost: dict[str, str] = {}
    under_way = _UnderWay()

    name = "fan-out" if number == 1 else f"fan-out, round {number}"
    with _workers(work, len(jobs)) as (runner, placed):

        def run() -> None:
            under_way.flow_run_id = _round_id()
            lost.update(_map(placed, jobs, outcome, under_way))

        token = _ROUND.set(run)
        try:
            subflow = Flow(_body, name="fan-out", flow_run_name=name, task_runner=cast(Any, runner))
            subflow(num_jobs=len(jobs), owner=str(Owner.here()))
        except (KeyboardInterrupt, SystemExit):
            _abandon(work, under_way)
            raise
        finally:
            _ROUND.reset(token)
    if lost:
        work.workers.end()  # the next round begins with processes that nothing has happened to
    return lost


def _body(num_jobs: int, owner: str) -> None:
    """Run the round of this context.

    Prefect sends the flow along with every job: as a function that is found by name it is small,
    and holds nothing of this process. Number and owner are what Prefect records of it.
    """
    del num_jobs, owner
    with unchanging_settings():
        _ROUND.get()()


@contextmanager
def _workers(work: Work, num_jobs: int) -> Iterator[tuple[JobRunner, Work]]:
    """Yield a runner for one round, and ``work`` as its workers are to be told of it."""
    engine = work.engine
    if engine.kind == "dask":
        cluster = existing_cluster(str(engine.address), work.site, accelerated=work.accelerated)
        task = for_workers_elsewhere(work.task)
        yield cluster.runner, replace(work, task=task, site=cluster.site)
        return
    workers = num_workers(engine, num_jobs, accelerated=work.accelerated)
    runner = work.workers.runner(workers, engine.threads_per_job)
    yield runner, replace(work, ahead=AHEAD_PER_WORKER * workers)


def _abandon(work: Work, under_way: _UnderWay) -> None:
    """End the workers, and tell the server of their jobs; else it would be waited for in vain."""
    work.workers.end()
    if under_way.flow_run_id is not None:
        labels = {x.task_run_id: label for label, x in under_way.running.items()}
        crash_lost(work.task, under_way.flow_run_id, labels)


def _map(
    work: Work, jobs: Mapping[str, Job], outcome: FanOutcome, under_way: _UnderWay
) -> dict[str, str]:
    """Submit ``jobs`` and sort what comes back; waits until the server knows all of it."""
    lost: dict[str, str] = {}
    dead: dict[UUID, str] = {}
    states: dict[UUID, State] = {}
    for label, future in as_completed(work, jobs, outcome, under_way.running):
        in_dask: Any = future.wrapped_future
        try:
            state: State = in_dask.result()
        except Exception as error:
            dead[future.task_run_id], lost[label] = label, sentence_of(error)
            continue
        in_dask.release()  # or Dask computes it again if this worker dies later
        states[future.task_run_id] = state
        if state.is_crashed():
            lost[label] = state.message or "its run crashed"
            continue
        result = state.result(raise_on_failure=False)
        if not isinstance(result, Record):
            outcome.failures[label] = sentence_of(result)
            continue
        outcome.records[label] = result
        if work.on_record is not None:
            work.on_record(label, result)
    settle_known(states, _SETTLE_S)
    crash_lost(work.task, _round_id(), dead)
    return lost


def _round_id() -> UUID:
    """Return the id of the running subflow."""
    return cast(UUID, cast(Any, FlowRunContext.get()).flow_run.id)


def _is_accelerated(jobs: Mapping[str, Job]) -> bool:
    executions = (getattr(job, "execution", None) for job in jobs.values())
    return any(execution is not None and execution.device != "cpu" for execution in executions)
