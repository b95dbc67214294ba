"""Bring every task run in Prefect's database to a final state before its server may stop.

The server writes task runs from events, some time after they happened, and a worker that died
tells nothing at all.
"""

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from http.client import NOT_FOUND
from typing import Any
from uuid import UUID

from prefect import Task
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    TaskRunFilter,
    TaskRunFilterId,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import State, StateType, TaskRun
from prefect.exceptions import PrefectHTTPStatusError
from prefect.states import Crashed

_POLL_S = 0.2
_QUIET_POLLS = 3  # an event may still be on its way when all rows that are there look finished
_PAGE = 200

_FINAL = (StateType.COMPLETED, StateType.FAILED, StateType.CRASHED, StateType.CANCELLED)
_UNFINISHED = TaskRunFilterState(
    type=TaskRunFilterStateType(any_=[state for state in StateType if state not in _FINAL])
)


def settle(flow_run_ids: Collection[UUID], timeout_s: float) -> None:
    """Wait until every task run of these flow runs is final; what never is becomes Crashed."""
    flow_runs = FlowRunFilter(id=FlowRunFilterId(any_=list(flow_run_ids)))
    with get_client(sync_client=True) as client:
        for task_run in _await_quiet(lambda: _unfinished(client, flow_runs), timeout_s):
            _force(client, task_run.id, _abandoned())


def settle_abandoned(is_only_user: Callable[[], bool], timeout_s: float) -> None:
    """Wait until every task run on the server is final, unless others use the server.

    Args:
        is_only_user: says whether nobody else uses the server, so that nobody else can own a task
            run. If somebody does, the server stays up and nothing needs to be waited for.
        timeout_s: after it what is not final becomes Crashed.
    """
    with get_client(sync_client=True) as client:

        def unfinished() -> list[TaskRun]:
            found = _unfinished(client, None)
            return found if is_only_user() else []  # in this order: a newcomer's runs are not ours

        for task_run in _await_quiet(unfinished, timeout_s):
            _force(client, task_run.id, _abandoned())


def settle_known(states: Mapping[UUID, State], timeout_s: float) -> None:
    """Wait until the server shows these task runs as final, and set right what it missed.

    Args:
        states: by task run its final state, as its worker returned it.
        timeout_s: how long to wait for the server.
    """
    deadline = time.monotonic() + timeout_s
    with get_client(sync_client=True) as client:
        waiting = set(states)
        while waiting and time.monotonic() < deadline:
            waiting -= _finished(client, waiting)
            if waiting:
                time.sleep(_POLL_S)
        for run in waiting:
            _force(client, run, states[run])


def crash_lost(task: Task[..., Any], flow_run_id: UUID, lost: Mapping[UUID, str]) -> None:
    """Show task runs as Crashed whose worker died.

    A worker tells the server of a task run some time after it has begun: the server may never have
    heard of it, or only under the name that Prefect gives it at first. So it is entered and named;
    its last words, should they still be on their way, are older and change nothing.

    Args:
        task: which ran.
        flow_run_id: of the flow run that they belong to.
        lost: their names by their ids.
    """
    with get_client(sync_client=True) as client:
        for run, name in lost.items():
            if not _force(client, run, _abandoned()):
                client.create_task_run(
                    task, flow_run_id, str(run), id=run, name=name, state=_abandoned()
                )
                _force(client, run, _abandoned())  # its first words may have come in between
            client.set_task_run_name(run, name)


def crash_tasks_of(client: SyncPrefectClient, flow_run_ids: Collection[UUID]) -> int:
    """Set every unfinished task run of these flow runs to Crashed; return how many there were."""
    if not flow_run_ids:
        return 0
    flow_runs = FlowRunFilter(id=FlowRunFilterId(any_=list(flow_run_ids)))
    seen: set[UUID] = set()
    num_crashed = 0
    while found := {x.id for x in _unfinished(client, flow_runs)} - seen:
        seen |= found
        num_crashed += sum(_force(client, task_run, _abandoned()) for task_run in found)
    return num_crashed


def _await_quiet(unfinished: Callable[[], list[TaskRun]], timeout_s: float) -> list[TaskRun]:
    """Return what is still unfinished after ``timeout_s``, or nothing once all stays finished."""
    deadline = time.monotonic() + timeout_s
    quiet_polls = 0
    while True:
        left = unfinished()
        quiet_polls = 0 if left else quiet_polls + 1
        if quiet_polls == _QUIET_POLLS or time.monotonic() > deadline:
            return left
        time.sleep(_POLL_S)


def _unfinished(client: SyncPrefectClient, flow_runs: FlowRunFilter | None) -> list[TaskRun]:
    found = client.read_task_runs(
        flow_run_filter=flow_runs, task_run_filter=TaskRunFilter(state=_UNFINISHED), limit=_PAGE
    )
    return list(found)


def _finished(client: SyncPrefectClient, task_run_ids: Iterable[UUID]) -> set[UUID]:
    """Return which of these task runs the server shows in a final state."""
    ids = list(task_run_ids)
    found: set[UUID] = set()
    for start in range(0, len(ids), _PAGE):
        page = TaskRunFilter(id=TaskRunFilterId(any_=ids[start : start + _PAGE]))
        rows = client.read_task_runs(task_run_filter=page, limit=_PAGE)
        found |= {row.id for row in rows if row.state_type and row.state_type in _FINAL}
    return found


def _force(client: SyncPrefectClient, task_run_id: UUID, state: State) -> bool:
    """Set a state against all rules; False if the server does not know the task run."""
    try:
        client.set_task_run_state(task_run_id, state.model_copy(update={"data": None}), force=True)
    except PrefectHTTPStatusError as error:
        if error.response.status_code != NOT_FOUND:
            raise
        return False
    return True


def _abandoned() -> State:
    return Crashed(message="Its process ended without telling how the task went.")
