"""Prefect's runs of dead owners are closed, those of living ones never."""

from uuid import uuid4

import pytest
from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.states import Running, Scheduled

from flows.abandonment import crash_abandoned
from flows.cli.reap import lines_of
from flows.reap import Reaped, reap
from tasks.owners import Owner
from tasks.site import Site
from tasks.workspace import Workspace

pytestmark = pytest.mark.service


@flow(name="compress")
def compressing(owner=None):
    """Stand in for a run of ours."""


@task
def step():
    """Stand in for a task of it."""


@pytest.fixture
def client(server_site):
    with get_client(sync_client=True) as client:
        yield client


def started(client, owner, state=None):
    """Leave a flow run with a task run, as a process that was killed does."""
    run = client.create_flow_run(
        compressing, parameters={"owner": owner and str(owner)}, state=state or Running()
    )
    inner = client.create_task_run(step, run.id, uuid4().hex, state=Running())
    return run.id, inner.id


def states(client, ids):
    return (client.read_flow_run(ids[0]).state_name, client.read_task_run(ids[1]).state_name)


def dead_owner():
    return Owner.here().model_copy(update={"started": 1})


def far_owner():
    return Owner.here().model_copy(update={"space": "another boot", "pid": uuid4().int % 10000})


def test_what_a_dead_owner_left_is_crashed_with_its_task_runs(client):
    ids = started(client, dead_owner())
    crashed = crash_abandoned(alone=False)
    assert states(client, ids) == ("Crashed", "Crashed")
    assert (len(crashed.flow_runs), crashed.num_task_runs) == (1, 1)


def test_what_a_living_owner_holds_is_left_alone(client):
    ids = started(client, Owner.here())
    crash_abandoned(alone=True)
    assert states(client, ids) == ("Running", "Running")


@pytest.mark.parametrize(("beat_ms", "expected"), [(None, "Running"), (1000, "Crashed")])
def test_an_owner_on_another_machine_lives_by_its_heartbeat(client, beat_ms, expected):
    ids = started(client, far_owner())
    if beat_ms:
        client.update_flow_run_labels(ids[0], {"mixmatch.beat_ms": beat_ms})
    crash_abandoned(alone=True)
    assert states(client, ids) == (expected, expected)


def test_a_run_without_an_owner_is_closed_only_where_nobody_can_own_it(client):
    ids = started(client, None)
    crash_abandoned(alone=False)
    assert states(client, ids)[0] == "Running"
    crash_abandoned(alone=True)
    assert states(client, ids)[0] == "Crashed"


def test_a_scheduled_run_is_never_closed(client):
    ids = started(client, dead_owner(), state=Scheduled())
    crash_abandoned(alone=True)
    assert states(client, ids)[0] == "Scheduled"


def test_an_empty_workspace_has_nothing_to_close_and_starts_no_server(tmp_path, monkeypatch):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    assert reap(Site.at(Workspace.open(tmp_path / "empty"))) == Reaped()
    assert lines_of(Reaped()) == ["Nothing was left behind."]
