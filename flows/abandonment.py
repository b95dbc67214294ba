"""Prefect's flow runs, with their task runs, that a killed process left unfinished: to Crashed.

A flow run of ours names its owner among its parameters, from its first moment, or as a label where
a schedule wrote the parameters, and shows its heartbeat as a label. Runs of anybody else, and those
that are only scheduled, are left alone; the process of a schedule's run that names nobody for long
died before it could, together with the worker that would have told.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from http.client import INTERNAL_SERVER_ERROR
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.context import FlowRunContext
from prefect.exceptions import PrefectHTTPStatusError
from prefect.states import Crashed

from flows.flow_runs import all_flow_runs
from flows.settling import crash_tasks_of
from mixmatch.records import Record
from tasks.owners import Owner, age_s
from tasks.tracking.repeatable import now_ms

OWNER_PARAMETER = "owner"
FLOWS = (
    *("compress", "study", "fan-out"),
    *("compress-scheduled", "nightly", "promote", "rollback"),  # entry points for schedules
)

_log = logging.getLogger(__name__)

_OWNER_LABEL = "mixmatch.owner"
_BEAT_LABEL = "mixmatch.beat_ms"
# How long a run of a schedule may be without an owner: running it names one within seconds, but
# before that a worker may have to fetch an image.
_NAMELESS_PENDING_S, _NAMELESS_S = 3600.0, 600.0
_UNDER_WAY = (StateType.PENDING, StateType.RUNNING, StateType.CANCELLING)


class CrashedRuns(Record):
    """What was closed in the name of dead owners.

    Attributes:
        flow_runs: their names.
        num_task_runs: of these flow runs.
    """

    flow_runs: tuple[str, ...]
    num_task_runs: int


def beat_of_this_run() -> Callable[[], None] | None:
    """Return what gives a sign of life in the flow run that is running here; None outside one."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return None
    flow_run_id: UUID = context.flow_run.id

    def beat() -> None:
        with get_client(sync_client=True) as client:
            client.update_flow_run_labels(flow_run_id, {_BEAT_LABEL: now_ms()})

    return beat


def own_this_run(owner: Owner) -> None:
    """Name the owner of the flow run that is running here, if one is."""
    context = FlowRunContext.get()
    if context is not None and context.flow_run is not None:
        labels: dict[str, bool | int | float | str] = {_OWNER_LABEL: str(owner)}
        labels[_BEAT_LABEL] = now_ms()
        with get_client(sync_client=True) as client:
            client.update_flow_run_labels(context.flow_run.id, labels)


def crash_abandoned(workspace: str, *, alone: bool) -> CrashedRuns:
    """Set the flow runs of ours whose owner is dead to Crashed, and their task runs with them.

    Others may use the server, for flows of the same names too: a run that names no owner is only
    looked at if ``workspace`` is among its parameters, or nobody else can have started it.

    Args:
        workspace: its folder, as our schedules give it to their runs.
        alone: whether nobody else can use the server; then a run that names no owner, as older
            versions left them, is closed too.
    """
    with get_client(sync_client=True) as client:
        under_way = _under_way(client)
        beats = _beats(under_way)
        dead = [run for run in under_way if _is_dead(run, beats, workspace, alone=alone)]
        dead = [run for run in dead if _crash(client, run)]
        num_task_runs = crash_tasks_of(client, [run.id for run in dead])
    return CrashedRuns(flow_runs=tuple(run.name for run in dead), num_task_runs=num_task_runs)


def _crash(client: SyncPrefectClient, run: FlowRun) -> bool:
    """Set a flow run to Crashed; False where Prefect cannot do that yet.

    The run of a schedule that was removed meanwhile holds a place in what no longer exists, on
    which Prefect fails until the lease of that place has run out, some minutes later.
    """
    message = "Its process ended without telling how the flow went."
    try:
        client.set_flow_run_state(run.id, Crashed(message=message), force=True)
    except PrefectHTTPStatusError as error:
        if error.response.status_code < INTERNAL_SERVER_ERROR or run.deployment_id is None:
            raise
        _log.warning("Prefect could not close the flow run %s; it is tried again later.", run.name)
        return False
    return True


def _under_way(client: SyncPrefectClient) -> list[FlowRun]:
    state = FlowRunFilterState(type=FlowRunFilterStateType(any_=list(_UNDER_WAY)))
    return all_flow_runs(client, FLOWS, FlowRunFilter(state=state))


def _is_dead(run: FlowRun, beats: Mapping[Owner, float], workspace: str, *, alone: bool) -> bool:
    owner = _owner_of(run)
    if owner is None:
        if run.deployment_id is None:
            return alone
        return run.parameters.get("workspace") == workspace and _is_silent(run)
    return not owner.is_alive(beats[owner])


def _is_silent(run: FlowRun) -> bool:
    """Say whether a run of a schedule is without an owner for longer than a living one can be."""
    since = run.state.timestamp if run.state else run.created
    if since is None:
        return False
    is_pending = run.state_type == StateType.PENDING
    return age_s(since.timestamp()) > (_NAMELESS_PENDING_S if is_pending else _NAMELESS_S)


def _owner_of(run: FlowRun) -> Owner | None:
    return Owner.parse(run.parameters.get(OWNER_PARAMETER) or run.labels.get(_OWNER_LABEL))


def _beats(runs: Sequence[FlowRun]) -> dict[Owner, float]:
    """Return by owner the seconds since its last sign of life in any of its runs."""
    ages: dict[Owner, float] = {}
    for run in runs:
        owner = _owner_of(run)
        if owner is not None:
            ages[owner] = min(_beat_age_s(run), ages.get(owner, float("inf")))
    return ages


def _beat_age_s(run: FlowRun) -> float:
    beat_ms = run.labels.get(_BEAT_LABEL)
    if isinstance(beat_ms, int | float):
        return age_s(beat_ms / 1000)
    began = run.start_time or run.created
    return age_s(began.timestamp()) if began else float("inf")
