"""Compute what a run asks for, side by side: from the store if it holds it, else by the fan-out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from flows.session import Session
from flows.steps import as_task
from mixmatch.records import MemberRecord
from tasks.members import Asked, first_of
from tasks.steps import make_member

OnMember = Callable[[Asked, MemberRecord], None]


@dataclass(slots=True)
class Computed:
    """What became of what was asked for.

    Attributes:
        records: by job key, of all that is done.
        cached: keys that the store held.
        failed: by label, why the others failed.
    """

    records: dict[str, MemberRecord] = field(default_factory=dict)
    cached: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)

    def add(self, other: "Computed") -> None:
        """Take over what another round computed."""
        self.records |= other.records
        self.cached |= other.cached
        self.failed |= other.failed


def compute(
    session: Session,
    asked: Sequence[Asked],
    *,
    beside: Sequence[Asked] = (),
    on_member: OnMember | None = None,
) -> Computed:
    """Return the records of ``asked``, computing those that the store does not hold.

    One that starts from another's network waits for it. One failure loses no other.

    Args:
        session: of the flow that is running.
        asked: members and rivals, distinct by job.
        beside: computed with them, but not counted among the hits and misses of the run.
        on_member: called with each that is done, as soon as it is; the store's first.
    """
    cached: list[Asked] = [one for one in asked if session.holds(one.job)]
    cached += [one for one in beside if session.finds(one.job)]
    done = Computed(cached={one.job.key for one in cached})
    with session.timed("members"):
        _take_cached(session, cached, done)
        for one in cached:
            if on_member is not None:
                on_member(one, done.records[one.job.key])
        # By key: a rival may be a reference too.
        every = {x.job.key: x for x in (*beside, *asked)}
        if missing := [x for key, x in every.items() if key not in done.cached]:
            _fan_out(session, missing, done, on_member)
    return done


def _take_cached(session: Session, cached: Sequence[Asked], done: Computed) -> None:
    """Read what the store holds, as task runs that hit Prefect's cache, in this process."""
    task = as_task(make_member, session.site, run_name="{label}")
    futures = {
        one.job.key: task.submit(job=one.job, site=session.site, label=one.label) for one in cached
    }
    done.records |= {key: future.result() for key, future in futures.items()}


def _fan_out(
    session: Session, missing: Sequence[Asked], done: Computed, on_member: OnMember | None
) -> None:
    by_label = {one.label: one for one in missing}
    session.watch.on_stage("members", f"{len(missing)} to prune, fine-tune and evaluate")
    session.watch.on_members(Path(str(session.site.progress)), list(by_label))
    from flows.fan_out import fan_out  # noqa: PLC0415  Dask is loaded only if there is work

    def note(label: str, record: object) -> None:
        one, member = by_label[label], cast(MemberRecord, record)
        done.records[one.job.key] = member
        if on_member is not None:
            on_member(one, member)

    outcome = fan_out(
        as_task(make_member, session.site, run_name="{label}", refresh=True),
        {label: one.job for label, one in by_label.items()},
        session.site,
        engine=session.config.engine,
        after=first_of(missing),
        on_record=note,
    )
    done.failed |= outcome.failures
