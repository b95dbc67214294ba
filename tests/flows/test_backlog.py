"""What was due while nobody served runs once for each schedule."""

import datetime

import pytest
from prefect.client.orchestration import get_client
from prefect.states import Scheduled

from flows.backlog import skip_backlog
from flows.deployments import deployments_of, interval_schedule, remove_schedule, save_schedule
from mixmatch.config import parse_run_config

pytestmark = pytest.mark.service

NOW = datetime.datetime.now(datetime.UTC)
CONFIG = parse_run_config(
    {"name": "n", "data": {"name": "digits"}, "model": {"architecture": "test_resnet"}}, "r"
)


@pytest.fixture
def client(server_site):
    with get_client(sync_client=True) as client:
        yield client


@pytest.fixture
def make_schedule(server_site, client, tmp_path):
    """Save a schedule whose runs were due so many hours ago, and return their ids, oldest first."""
    names = []

    def make(name, hours_ago, pool="served"):
        due = interval_schedule(86400 * 300)
        save_schedule(CONFIG, server_site, due, name=name, pool=pool, folder=tmp_path)
        names.append(name)
        (deployment,) = (x for x in deployments_of(client) if x.name == name)
        return [planned(client, deployment.id, hours) for hours in hours_ago]

    yield make
    for name in names:
        remove_schedule(name)


def planned(client, deployment_id, hours, *, automatic=True):
    """Plan a run; only Prefect's scheduler can mark one as its own, which ``marked`` does here."""
    due = NOW - datetime.timedelta(hours=hours)
    run = client.create_flow_run_from_deployment(deployment_id, state=Scheduled(scheduled_time=due))
    if automatic:
        AUTOMATIC.add(run.id)
    return run.id


AUTOMATIC = set()


@pytest.fixture(autouse=True)
def marked(monkeypatch):
    """Show the runs that the tests planned as the scheduler's own."""
    from flows import backlog

    read = backlog._overdue

    def shown(client, now):
        return [
            run.model_copy(update={"auto_scheduled": run.id in AUTOMATIC})
            for run in read(client, now)
        ]

    monkeypatch.setattr(backlog, "_overdue", shown)


def state_names(client, ids):
    """Return the states; the server calls what is overdue late as soon as it notices."""
    names = [client.read_flow_run(x).state_name for x in ids]
    return ["Scheduled" if name == "Late" else name for name in names]


def test_only_the_latest_of_what_was_due_is_made_up_for(client, make_schedule):
    nightly = make_schedule("nightly", [72, 48, 24])
    other = make_schedule("other", [5])
    future = make_schedule("future", [-5])
    found = skip_backlog("served")
    assert [(x.name, x.num_skipped) for x in found] == [("nightly", 2), ("other", 0)]
    assert found[0].due == (NOW - datetime.timedelta(hours=24)).isoformat()
    assert state_names(client, nightly) == ["Skipped", "Skipped", "Scheduled"]
    assert state_names(client, other + future) == ["Scheduled", "Scheduled"]
    message = client.read_flow_run(nightly[0]).state.message
    assert message == (
        "Skipped: it was overdue, and so was a later run of nightly, which does its work too."
    )


def test_what_was_asked_for_by_hand_and_other_pools_are_left_alone(client, make_schedule):
    elsewhere = make_schedule("elsewhere", [9, 8], pool="another")
    (first,) = make_schedule("nightly", [9])
    (deployment,) = (x for x in deployments_of(client) if x.name == "nightly")
    by_hand = planned(client, deployment.id, 10, automatic=False)
    assert [(x.name, x.num_skipped) for x in skip_backlog("served")] == [("nightly", 0)]
    assert state_names(client, [*elsewhere, first, by_hand]) == ["Scheduled"] * 4
