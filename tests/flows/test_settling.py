import time
from uuid import uuid4

import pytest
from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import TaskRunFilter, TaskRunFilterId
from prefect.states import Completed, Running
from prefect.utilities.engine import emit_task_run_state_change_event

from flows.settling import crash_lost, settle, settle_abandoned, settle_known

pytestmark = pytest.mark.service

_LIMIT_S = 60.0


@task
def step():
    """Stand in a task run for what a worker would have done."""


@flow
def parent():
    """Stand in a flow run for the task runs' parent."""


@pytest.fixture
def client(server_site):
    with get_client(sync_client=True) as client:
        yield client


@pytest.fixture
def task_run(client):
    """Leave a task run unfinished, as a worker that was killed does."""
    flow_run = client.create_flow_run(parent)
    return client.create_task_run(step, flow_run.id, uuid4().hex, state=Running())


def await_known(client, task_run):
    """Return once the server has heard of a task run, and with it of all that was said before."""
    deadline = time.monotonic() + _LIMIT_S
    while not client.read_task_runs(
        task_run_filter=TaskRunFilter(id=TaskRunFilterId(any_=[task_run.id]))
    ):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def state_of(client, task_run):
    return client.read_task_run(task_run.id).state_name


def test_what_never_finishes_in_a_flow_run_becomes_crashed(client, task_run):
    settle([task_run.flow_run_id], timeout_s=0.3)
    assert state_of(client, task_run) == "Crashed"


def test_other_flow_runs_are_left_alone(client, task_run):
    settle([uuid4()], timeout_s=0.3)
    assert state_of(client, task_run) == "Running"


def test_an_unfinished_task_run_is_left_alone_while_others_use_the_server(client, task_run):
    settle_abandoned(lambda: False, timeout_s=0.3)
    assert state_of(client, task_run) == "Running"


def test_an_unfinished_task_run_that_nobody_can_own_becomes_crashed(client, task_run):
    settle_abandoned(lambda: True, timeout_s=0.3)
    assert state_of(client, task_run) == "Crashed"


def test_what_the_server_missed_is_told_to_it(client, task_run):
    settle_known({task_run.id: Completed()}, timeout_s=0.3)
    assert state_of(client, task_run) == "Completed"


def test_a_lost_task_run_becomes_crashed(client, task_run):
    crash_lost(step, task_run.flow_run_id, {task_run.id: "lost"})
    assert state_of(client, task_run) == "Crashed"


def test_a_lost_task_run_has_its_name_although_its_worker_never_told_it(client, task_run):
    assert client.read_task_run(task_run.id).name != "lost"  # what Prefect calls it at first
    crash_lost(step, task_run.flow_run_id, {task_run.id: "lost"})
    assert client.read_task_run(task_run.id).name == "lost"


def test_a_lost_task_run_that_the_server_never_saw_is_shown_as_crashed(client, task_run):
    unseen = uuid4()
    crash_lost(step, task_run.flow_run_id, {unseen: "unseen"})
    found = client.read_task_run(unseen)
    assert (found.name, found.state_name) == ("unseen", "Crashed")
    assert found.flow_run_id == task_run.flow_run_id


def test_the_late_words_of_a_lost_task_run_change_nothing(client, task_run):
    begun = [Running(), Running()]
    late = task_run.model_copy(update={"id": uuid4(), "dynamic_key": uuid4().hex})
    crash_lost(step, task_run.flow_run_id, {late.id: "late"})
    after = late.model_copy(update={"id": uuid4(), "dynamic_key": uuid4().hex})
    for run, state in zip((late, after), begun, strict=True):
        emit_task_run_state_change_event(run, initial_state=None, validated_state=state)
    await_known(client, after)
    assert state_of(client, late) == "Crashed"
