"""The jobs of one round: submitted as soon as they may begin, handed over as they end."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias, cast

from prefect import Task
from prefect.context import FlowRunContext
from prefect_dask.task_runners import PrefectDaskFuture

from flows.local_workers import LocalWorkers
from flows.scheduler import WorkerWatch, needing
from mixmatch.config import EngineSettings
from mixmatch.records import Record
from tasks.jobs import Job
from tasks.site import Site

_LOOK_S = 5.0
# Jobs that are submitted before they can begin: enough that no worker waits. What is submitted
# takes memory here and at the scheduler, however many jobs there are.
AHEAD_PER_WORKER, _AHEAD_ELSEWHERE = 4, 512

OnRecord = Callable[[str, Record], None]
Running: TypeAlias = "dict[str, PrefectDaskFuture[Any]]"
_Ended: TypeAlias = "SimpleQueue[str]"


@dataclass(slots=True)
class FanOutcome:
    """What became of the jobs; every label stands in exactly one of the two.

    Attributes:
        records: by label, of the jobs that succeeded.
        failures: by label, why the others did not, one sentence or two.
    """

    records: dict[str, Record] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Work:
    """What every round of one fan-out has in common."""

    task: Task[..., Any]
    site: Site
    engine: EngineSettings
    workers: LocalWorkers
    after: Mapping[str, str]
    on_record: OnRecord | None
    accelerated: bool
    ahead: int = _AHEAD_ELSEWHERE


def as_completed(
    work: Work,
    jobs: Mapping[str, Job],
    outcome: FanOutcome,
    running: Running,
) -> Iterator[tuple[str, PrefectDaskFuture[Any]]]:
    """Yield jobs as they end; what the caller writes into ``outcome`` decides what may begin.

    ``running`` holds at all times what was submitted and has not been yielded.
    """
    waiting = dict(jobs)
    ended: _Ended = SimpleQueue()
    watch = _watch() if work.engine.kind == "dask" else None
    while True:
        room = work.ahead - len(running)
        running.update(_submit_ready(work, waiting, outcome, ended, room))
        if not running:
            return
        label = _next(ended, watch, running)
        yield label, running.pop(label)


def fail_followers(work: Work, waiting: dict[str, Job], outcome: FanOutcome) -> None:
    """Give up what would start from a failure, and what would start from that."""
    while doomed := [x for x in waiting if work.after.get(x) in outcome.failures]:
        for label in doomed:
            del waiting[label]
            first = work.after[label]
            outcome.failures[label] = f"{first}, whose network it starts from, failed."


def _watch() -> WorkerWatch:
    """Watch over the cluster of the running subflow."""
    return WorkerWatch(cast(Any, FlowRunContext.get()).task_runner.client)


def _next(ended: "_Ended", watch: WorkerWatch | None, running: Running) -> str:
    """Return the next that has ended; where all workers stay away, all that is running ends so."""
    while True:
        try:
            return ended.get(timeout=_LOOK_S if watch else None)
        except Empty:
            if watch and watch.is_forsaken():
                watch.give_up([future.wrapped_future for future in running.values()])


def _submit_ready(
    work: Work,
    waiting: dict[str, Job],
    outcome: FanOutcome,
    ended: "_Ended",
    room: int,
) -> Running:
    """Submit of ``waiting`` what need not wait any longer, as far as there is room; by label."""
    fail_followers(work, waiting, outcome)
    begun: Running = {}
    for label in list(waiting):
        if len(begun) >= room:
            break
        first = work.after.get(label)
        if first is None or first in outcome.records:
            job = waiting.pop(label)
            with needing(accelerated=work.accelerated and work.engine.kind == "dask"):
                submitted = work.task.submit(job=job, site=work.site, label=label)
            begun[label] = cast(PrefectDaskFuture[Any], submitted)
            begun[label].add_done_callback(partial(_hand_over, ended, label))
    return begun


def _hand_over(ended: "_Ended", label: str, _: object) -> None:
    """Pass on what has ended, from the thread of Dask's that noticed."""
    ended.put(label)
