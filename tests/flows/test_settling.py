from uuid import uuid4

import pytest
from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.states import Completed, Running

from flows.settling import settle, settle_abandoned, settle_known

pytestmark = pytest.mark.service


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


def test_a_lost_task_run_becomes_crashed_also_beside_one_that_the_server_never_saw(
    client, task_run
):
    settle_known({task_run.id: None, uuid4(): None}, timeout_s=0.3)
    assert state_of(client, task_run) == "Crashed"
