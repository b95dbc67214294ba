"""What Prefect knows of the running flow, for the lineage of what it registers."""

import datetime
from collections.abc import Iterator

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterParentFlowRunId,
)
from prefect.client.schemas.objects import TaskRun
from prefect.context import FlowRunContext

from mixmatch.records import FlowTrace

_PAGE = 200


def flow_trace() -> FlowTrace:
    """Return the ids of the flow run that this is called in, and of its task runs so far.

    A task run that the server has not written down yet is left out.
    """
    context = FlowRunContext.get()
    run = context.flow_run if context is not None else None
    started = (run and run.start_time) or datetime.datetime.now(datetime.UTC)
    at = started.astimezone(datetime.UTC).isoformat(timespec="seconds")
    if run is None:
        return FlowTrace(flow_run=None, task_runs={}, started=at)
    own = FlowRunFilter(id=FlowRunFilterId(any_=[run.id]))
    below = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[run.id]))
    with get_client(sync_client=True) as client:
        found = [task for where in (own, below) for task in _task_runs(client, where)]
    return FlowTrace(flow_run=str(run.id), task_runs={x.name: str(x.id) for x in found}, started=at)


def _task_runs(client: SyncPrefectClient, where: FlowRunFilter) -> Iterator[TaskRun]:
    offset = 0
    while page := client.read_task_runs(flow_run_filter=where, limit=_PAGE, offset=offset):
        yield from page
        offset += len(page)
