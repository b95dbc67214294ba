"""Run many jobs side by side in worker processes; survive the death of any of them.

Dask forgets or strands what a dead worker did, so whatever is not done at the end of a round is
submitted again in a fresh cluster. What did finish is never computed twice.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from queue import SimpleQueue
from typing import Any, cast
from uuid import UUID

from prefect import Flow, Task
from prefect.client.schemas.objects import State
from prefect_dask.task_runners import PrefectDaskFuture

from flows.cluster import dask_runner, num_workers
from flows.settling import settle_known
from flows.steps import sentence_of
from mixmatch.config import EngineSettings
from mixmatch.records import Record
from tasks.jobs import Job
from tasks.owners import Owner
from tasks.site import Site

_SETTLE_S = 15.0


@dataclass(slots=True)
class FanOutcome:
    """What became of the jobs; every label stands in exactly one of the two.

    Attributes:
        records: by label, of the jobs that succeeded.
        failures: by label, why the others did not, one sentence or two.
    """

    records: dict[str, Record] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


OnRecord = Callable[[str, Record], None]


@dataclass(frozen=True, slots=True)
class _Work:
    """What every round of one fan-out has in common."""

    task: Task[..., Any]
    site: Site
    engine: EngineSettings
    after: Mapping[str, str]
    on_record: OnRecord | None


def fan_out(
    task: Task[..., Any],
    jobs: Mapping[str, Job],
    site: Site,
    *,
    engine: EngineSettings,
    after: Mapping[str, str] | None = None,
    on_record: OnRecord | None = None,
    rounds: int = 3,
) -> FanOutcome:
    """Run ``task(job, site, label)`` for each job, inside a flow; one failure loses no other.

    Each round is a subflow on a Dask cluster of its own, one job per process. A job that raises
    has failed, and with it those that come after it. A job whose worker died is run again in the
    next round.

    Args:
        task: made by ``flows.steps.as_task``; its results are found by the job's key.
        jobs: by label, which becomes the name of the task run.
        site: workspace and store, for the workers.
        engine: how many workers, and threads per job.
        after: by label the label of the job that must have succeeded before; those that are no
            jobs of this fan-out are done already.
        on_record: called in this process with label and record as soon as a job has succeeded.
        rounds: how often a job is tried that takes its worker with it.
    """
    outcome = FanOutcome()
    work = _Work(task, site, engine, _within(after or {}, jobs), on_record)
    reasons: dict[str, str] = {}
    for number in range(1, rounds + 1):
        left = {label: job for label, job in jobs.items() if label not in _done(outcome)}
        if not left:
            break
        reasons = _run_round(work, left, outcome, number)
    for label, reason in reasons.items():
        outcome.failures[label] = f"Its worker process died in each of {rounds} rounds ({reason})."
    _fail_followers(work, {x: job for x, job in jobs.items() if x not in _done(outcome)}, outcome)
    return outcome


def _within(after: Mapping[str, str], jobs: Mapping[str, Job]) -> dict[str, str]:
    """Leave out what this fan-out does not wait for."""
    return {label: first for label, first in after.items() if label in jobs and first in jobs}


def _done(outcome: FanOutcome) -> Collection[str]:
    return outcome.records.keys() | outcome.failures.keys()


def _run_round(
    work: _Work, jobs: Mapping[str, Job], outcome: FanOutcome, number: int
) -> dict[str, str]:
    """Run ``jobs`` in one subflow, adding to ``outcome``; say by label what is lost, and why."""
    lost: dict[str, str] = {}

    def run(num_jobs: int, owner: str) -> None:
        del num_jobs, owner  # recorded by Prefect; the jobs are too large for that
        lost.update(_map(work, jobs, outcome))

    name = "fan-out" if number == 1 else f"fan-out, round {number}"
    scratch = work.site.open_workspace().root / "scratch"
    workers = num_workers(work.engine, len(jobs), accelerated=_is_accelerated(jobs))
    with dask_runner(workers, work.engine.threads_per_job, scratch) as runner:
        subflow = Flow(run, name="fan-out", flow_run_name=name, task_runner=cast(Any, runner))
        subflow(num_jobs=len(jobs), owner=str(Owner.here()))
    return lost


def _map(work: _Work, jobs: Mapping[str, Job], outcome: FanOutcome) -> dict[str, str]:
    """Submit ``jobs`` and sort what comes back; waits until the server knows all of it."""
    lost: dict[str, str] = {}
    states: dict[UUID, State | None] = {}
    for label, future in _as_completed(work, jobs, outcome):
        in_dask: Any = future.wrapped_future
        try:
            state: State = in_dask.result()
        except Exception as error:
            states[future.task_run_id], lost[label] = None, sentence_of(error)
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
    return lost


def _as_completed(
    work: _Work, jobs: Mapping[str, Job], outcome: FanOutcome
) -> Iterator[tuple[str, PrefectDaskFuture[Any]]]:
    """Yield jobs as they end; what the caller writes into ``outcome`` decides what may begin."""
    waiting = dict(jobs)
    ended: SimpleQueue[tuple[str, PrefectDaskFuture[Any]]] = SimpleQueue()
    num_running = 0
    while True:
        num_running += _submit_ready(work, waiting, outcome, ended)
        if not num_running:
            return
        label, future = ended.get()
        num_running -= 1
        yield label, future


def _submit_ready(
    work: _Work,
    waiting: dict[str, Job],
    outcome: FanOutcome,
    ended: "SimpleQueue[tuple[str, PrefectDaskFuture[Any]]]",
) -> int:
    """Submit of ``waiting`` what need not wait any longer; return how many that were."""
    _fail_followers(work, waiting, outcome)
    num_submitted = 0
    for label in list(waiting):
        first = work.after.get(label)
        if first is None or first in outcome.records:
            job = waiting.pop(label)
            future = cast(
                PrefectDaskFuture[Any], work.task.submit(job=job, site=work.site, label=label)
            )
            future.add_done_callback(partial(_hand_over, ended, label, future))
            num_submitted += 1
    return num_submitted


def _hand_over(
    ended: "SimpleQueue[tuple[str, PrefectDaskFuture[Any]]]",
    label: str,
    future: PrefectDaskFuture[Any],
    _: object,
) -> None:
    """Pass on what has ended, from the thread of Dask's that noticed."""
    ended.put((label, future))


def _fail_followers(work: _Work, waiting: dict[str, Job], outcome: FanOutcome) -> None:
    """Give up what would start from a failure, and what would start from that."""
    while doomed := [x for x in waiting if work.after.get(x) in outcome.failures]:
        for label in doomed:
            del waiting[label]
            first = work.after[label]
            outcome.failures[label] = f"{first}, whose network it starts from, failed."


def _is_accelerated(jobs: Mapping[str, Job]) -> bool:
    executions = (getattr(job, "execution", None) for job in jobs.values())
    return any(execution is not None and execution.device != "cpu" for execution in executions)
