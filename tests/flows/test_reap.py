"""Prefect's runs of dead owners are closed, those of living ones never."""

from uuid import uuid4

import pytest
from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext
from prefect.states import Pending, Running, Scheduled

from flows import abandonment
from flows.abandonment import crash_abandoned
from flows.cli.reap import lines_of
from flows.deployments import deployments_of, interval_schedule, remove_schedule, save_schedule
from flows.ownership import owned
from flows.reap import Reaped, reap
from mixmatch.config import parse_run_config
from tasks.owners import Owner
from tasks.site import Site
from tasks.workspace import Workspace

pytestmark = pytest.mark.service

WORKSPACE = "/srv/another"


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


@pytest.fixture
def make_schedule(client, server_site, tmp_path):
    """Save a schedule that is not due for long; returns its deployment."""
    data, model = {"name": "digits"}, {"architecture": "test_resnet"}
    config = parse_run_config({"name": "n", "data": data, "model": model}, "r")

    def make(name):
        due = interval_schedule(86400 * 300)
        save_schedule(config, server_site, due, name=name, pool="mixmatch", folder=tmp_path)
        (deployment,) = (x for x in deployments_of(client) if x.name == name)
        return deployment

    return make


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
    crashed = crash_abandoned(WORKSPACE, alone=False)
    assert states(client, ids) == ("Crashed", "Crashed")
    assert (len(crashed.flow_runs), crashed.num_task_runs) == (1, 1)


@pytest.mark.parametrize("name", ["compress-scheduled", "nightly", "promote", "rollback"])
def test_a_scheduled_flow_names_its_owner_by_a_label(client, name):
    entry_point = flow(name=name)(lambda: None)
    ids = []
    for owner in (dead_owner(), Owner.here()):
        run = client.create_flow_run(entry_point, state=Running())
        client.update_flow_run_labels(run.id, {"mixmatch.owner": str(owner)})
        ids.append(run.id)
    crash_abandoned(WORKSPACE, alone=False)
    assert [client.read_flow_run(x).state_name for x in ids] == ["Crashed", "Running"]


def test_a_flow_that_is_owned_says_by_whom_and_gives_signs_of_life(client, server_site):
    @flow(name="promote")
    def owning():
        with owned(server_site):
            return FlowRunContext.get().flow_run.id

    labels = client.read_flow_run(owning()).labels
    assert labels["mixmatch.owner"] == str(Owner.here())
    assert labels["mixmatch.beat_ms"] > 0


def test_a_run_that_died_does_not_keep_the_place_of_its_schedule(client, make_schedule):
    """Else the next night's run would wait for it for ever."""
    deployment = make_schedule("place")
    first, second = (client.create_flow_run_from_deployment(deployment.id) for _ in range(2))
    for state in (Pending(), Running()):
        client.set_flow_run_state(first.id, state)
    client.update_flow_run_labels(first.id, {"mixmatch.owner": str(dead_owner())})
    waits = client.set_flow_run_state(second.id, Pending()).state.name
    crash_abandoned(WORKSPACE, alone=False)
    begins = client.set_flow_run_state(second.id, Pending()).state
    remove_schedule("place")
    assert (waits, begins.name) == ("AwaitingConcurrencySlot", "Pending")


@pytest.mark.parametrize(("begun", "limit_s"), [((Pending, Running), 600), ((Pending,), 3600)])
def test_a_scheduled_run_that_died_before_it_named_its_owner_is_closed_later(
    client, make_schedule, server_site, monkeypatch, begun, limit_s
):
    deployment = make_schedule("nameless")
    run = client.create_flow_run_from_deployment(deployment.id)
    for state in begun:
        client.set_flow_run_state(run.id, state())
    found = []
    for later_s in (limit_s - 30, limit_s + 30):
        monkeypatch.setattr(abandonment, "age_s", lambda at, later_s=later_s: later_s)
        crash_abandoned(WORKSPACE, alone=False)  # somebody else's, on the same server
        assert client.read_flow_run(run.id).state_name == begun[-1]().name
        crash_abandoned(server_site.workspace, alone=False)
        found.append(client.read_flow_run(run.id).state_name)
    remove_schedule("nameless")
    assert found == [begun[-1]().name, "Crashed"]


def test_a_run_that_prefect_cannot_close_yet_keeps_no_other_open(client, make_schedule, caplog):
    """A schedule is removed whose run then dies: its place is in what no longer exists."""
    deployment = make_schedule("removed")
    stuck = client.create_flow_run_from_deployment(deployment.id)
    for state in (Pending(), Running()):
        client.set_flow_run_state(stuck.id, state)
    client.update_flow_run_labels(stuck.id, {"mixmatch.owner": str(dead_owner())})
    remove_schedule("removed")
    other = started(client, dead_owner())
    crashed = crash_abandoned(WORKSPACE, alone=False)
    assert states(client, other)[0] == "Crashed"
    assert client.read_flow_run(stuck.id).state_name == "Running"
    assert stuck.name not in crashed.flow_runs
    assert f"Prefect could not close the flow run {stuck.name}" in caplog.text


def test_what_a_living_owner_holds_is_left_alone(client):
    ids = started(client, Owner.here())
    crash_abandoned(WORKSPACE, alone=True)
    assert states(client, ids) == ("Running", "Running")


@pytest.mark.parametrize(("beat_ms", "expected"), [(None, "Running"), (1000, "Crashed")])
def test_an_owner_on_another_machine_lives_by_its_heartbeat(client, beat_ms, expected):
    ids = started(client, far_owner())
    if beat_ms:
        client.update_flow_run_labels(ids[0], {"mixmatch.beat_ms": beat_ms})
    crash_abandoned(WORKSPACE, alone=True)
    assert states(client, ids) == (expected, expected)


def test_a_run_without_an_owner_is_closed_only_where_nobody_can_own_it(client):
    ids = started(client, None)
    crash_abandoned(WORKSPACE, alone=False)
    assert states(client, ids)[0] == "Running"
    crash_abandoned(WORKSPACE, alone=True)
    assert states(client, ids)[0] == "Crashed"


def test_a_scheduled_run_is_never_closed(client):
    ids = started(client, dead_owner(), state=Scheduled())
    crash_abandoned(WORKSPACE, alone=True)
    assert states(client, ids)[0] == "Scheduled"


def test_an_empty_workspace_has_nothing_to_close_and_starts_no_server(tmp_path, monkeypatch):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    assert reap(Site.at(Workspace.open(tmp_path / "empty"))) == Reaped()
    assert lines_of(Reaped()) == ["Nothing was left behind."]
