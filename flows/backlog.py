"""Runs that were due while nobody served: of each schedule the latest is made up for, no other.

Prefect plans runs ahead and starts all that are overdue, one after the other. A run looks at its
inputs when it begins, so the latest does all that the others would have done.
"""

import datetime
from collections import defaultdict
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Cancelled

from flows.deployments import deployments_of
from flows.flow_runs import all_flow_runs
from flows.scheduled import FLOW_NAME
from mixmatch.records import Record

SKIPPED = "Skipped"


class Backlog(Record):
    """What one schedule missed.

    Attributes:
        name: of the schedule.
        num_skipped: runs that never begin.
        due: when the one was due that is made up for, in ISO 8601.
    """

    name: str
    num_skipped: int
    due: str


def skip_backlog(pool: str) -> tuple[Backlog, ...]:
    """Cancel what is overdue in a work pool, but for the latest run of each schedule.

    Runs that somebody asked for by hand are not touched. Prefect's server must answer.

    Returns:
        By name, the schedules of which something was overdue.
    """
    now = datetime.datetime.now(datetime.UTC)
    with get_client(sync_client=True) as client:
        names = {x.id: x.name for x in deployments_of(client) if x.work_pool_name == pool}
        overdue: dict[UUID, list[FlowRun]] = defaultdict(list)
        for run in _overdue(client, now):
            if run.auto_scheduled and run.deployment_id in names:
                overdue[run.deployment_id].append(run)
        found = [_skip(client, names[key], runs) for key, runs in overdue.items()]
    return tuple(sorted(found, key=lambda backlog: backlog.name))


def _overdue(client: SyncPrefectClient, now: datetime.datetime) -> list[FlowRun]:
    chosen = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED])),
        expected_start_time=FlowRunFilterExpectedStartTime(before_=now),
    )
    return all_flow_runs(client, [FLOW_NAME], chosen)


def _skip(client: SyncPrefectClient, name: str, runs: list[FlowRun]) -> Backlog:
    *older, latest = sorted(runs, key=_due)
    message = f"Skipped: it was overdue, and so was a later run of {name}, which does its work too."
    for run in older:
        client.set_flow_run_state(run.id, Cancelled(name=SKIPPED, message=message), force=True)
    return Backlog(name=name, num_skipped=len(older), due=_due(latest).isoformat())


def _due(run: FlowRun) -> datetime.datetime:
    """Return when a run should have begun; one that is planned always has this."""
    due = run.expected_start_time
    return due if due is not None else datetime.datetime.max.replace(tzinfo=datetime.UTC)
