"""Compute many jobs of one step: from the store if it holds them, else side by side by workers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Protocol, TypeVar, cast

from flows.session import Session
from flows.steps import as_task
from mixmatch.records import Record
from tasks.jobs import Job
from tasks.progress import ProgressWriter

R = TypeVar("R", bound=Record)


class Labelled(Protocol):
    """One job with the name that people see."""

    @property
    def label(self) -> str:
        """Name for bars, task runs and failures."""

    @property
    def job(self) -> Job:
        """What is to be computed."""


L = TypeVar("L", bound=Labelled)


@dataclass(slots=True)
class Computed(Generic[R]):
    """What became of what was asked for.

    Attributes:
        records: by job key, of all that is done.
        cached: keys that the store held.
        failed: by label, why the others failed.
    """

    records: dict[str, R] = field(default_factory=dict)
    cached: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)

    def add(self, other: "Computed[R]") -> None:
        """Take over what another round computed."""
        self.records |= other.records
        self.cached |= other.cached
        self.failed |= other.failed


@dataclass(frozen=True, slots=True)
class Work(Generic[R]):
    """A step that many jobs go through.

    Attributes:
        step: function with the parameters ``job``, ``site`` and ``label``.
        stage: what the display and the times call it.
        doing: what happens to each, for example ``to prune``.
    """

    step: Callable[..., R]
    stage: str
    doing: str


def compute_side_by_side(
    session: Session,
    work: Work[R],
    cached: Sequence[L],
    missing: Sequence[L],
    *,
    after: Mapping[str, str] | None = None,
    on_record: Callable[[L, R], None] | None = None,
) -> Computed[R]:
    """Return the records of ``cached`` and ``missing``. One failure loses no other.

    Args:
        session: of the flow that is running.
        work: what each goes through.
        cached: those that the store holds.
        missing: the others; they go to worker processes.
        after: by label of a missing one the label of that which must have succeeded before.
        on_record: called with each that is done, as soon as it is; the store's first.
    """
    done: Computed[R] = Computed(cached={one.job.key for one in cached})
    with session.timed(work.stage):
        _take_cached(session, work, cached, done)
        for one in cached:
            if on_record is not None:
                on_record(one, done.records[one.job.key])
        if missing:
            _fan_out(session, work, missing, done, after=after or {}, on_record=on_record)
    return done


def _take_cached(session: Session, work: Work[R], cached: Sequence[L], done: Computed[R]) -> None:
    """Read what the store holds, as task runs that hit Prefect's cache, in this process."""
    task = as_task(work.step, session.site, run_name="{label}")
    futures = {
        one.job.key: task.submit(job=one.job, site=session.site, label=one.label) for one in cached
    }
    done.records |= {key: future.result() for key, future in futures.items()}


def _fan_out(
    session: Session,
    work: Work[R],
    missing: Sequence[L],
    done: Computed[R],
    *,
    after: Mapping[str, str],
    on_record: Callable[[L, R], None] | None,
) -> None:
    by_label = {one.label: one for one in missing}
    progress = Path(str(session.site.progress))
    session.watch.on_stage(work.stage, f"{len(missing)} {work.doing}")
    session.watch.on_members(progress, list(by_label))
    from flows.fan_out import fan_out  # noqa: PLC0415  Dask is loaded only if there is work

    def note(label: str, record: Record) -> None:
        one, own = by_label[label], cast(R, record)
        done.records[one.job.key] = own
        if session.config.engine.kind == "dask":
            ProgressWriter(progress, label).finish()  # workers elsewhere cannot tell it there
        if on_record is not None:
            on_record(one, own)

    outcome = fan_out(
        as_task(work.step, session.site, run_name="{label}", refresh=True),
        {label: one.job for label, one in by_label.items()},
        session.site,
        engine=session.config.engine,
        workers=session.workers,
        after=after,
        on_record=note,
    )
    done.failed |= outcome.failures
