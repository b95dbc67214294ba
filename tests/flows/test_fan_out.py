import sqlite3

import pytest
from prefect import flow

from flows.fan_out import fan_out
from flows.local_workers import local_workers
from flows.steps import as_task
from mixmatch.config import EngineSettings
from tests.flows.stand_in_steps import NumberJob, NumberRecord, square

pytestmark = pytest.mark.service

ENGINE = EngineSettings(workers=2)


@pytest.fixture(scope="module")
def run(server_site):
    """Run jobs in a fan-out of their own, on workers that all of them share."""
    task = as_task(square, server_site, run_name="{label}")
    with local_workers(server_site) as workers:

        def run(jobs, rounds=3, **settings):
            @flow
            def parent():
                return fan_out(
                    task,
                    jobs,
                    server_site,
                    engine=ENGINE,
                    workers=workers,
                    rounds=rounds,
                    **settings,
                )

            return parent()

        yield run


def task_runs(site, labels):
    database = sqlite3.connect(site.open_workspace().prefect / "prefect.db")
    try:
        rows = database.execute("select name, state_name from task_run").fetchall()
    finally:
        database.close()
    return sorted(row for row in rows if row[0] in labels)


def num_calls(site, label):
    return len(list((site.open_workspace().root / "calls").glob(f"{label}-*")))


def test_a_job_that_fails_and_one_that_kills_its_worker_lose_no_other(run, server_site, capfd):
    jobs = {
        "first": NumberJob(number=1),
        "failing": NumberJob(number=2, behaviour="raise"),
        "dying": NumberJob(number=3, behaviour="die once"),
        "last": NumberJob(number=4),
    }
    outcome = run(jobs)
    squares = {label: record.square for label, record in outcome.records.items()}
    assert squares == {"first": 1, "dying": 9, "last": 16}
    assert outcome.failures == {"failing": "The number 2 must not be used."}
    assert num_calls(server_site, "failing") == 1
    assert num_calls(server_site, "dying") == 2
    assert task_runs(server_site, jobs) == [
        ("dying", "Completed"),
        ("dying", "Crashed"),
        ("failing", "Failed"),
        ("first", "Completed"),
        ("last", "Completed"),
    ]
    assert capfd.readouterr() == ("", "")


def test_a_second_run_takes_the_record_from_the_cache(run, server_site):
    jobs = {"cached": NumberJob(number=5)}
    first = run(jobs)
    second = run(jobs)
    assert isinstance(second.records["cached"], NumberRecord)
    assert second == first
    assert num_calls(server_site, "cached") == 1
    assert task_runs(server_site, jobs) == [("cached", "Cached"), ("cached", "Completed")]


def test_a_job_that_always_kills_its_worker_is_given_up(run, server_site):
    outcome = run({"deadly": NumberJob(number=6, behaviour="die")}, rounds=1)
    assert outcome.records == {}
    assert list(outcome.failures) == ["deadly"]
    assert outcome.failures["deadly"].startswith("Its worker process died in each of 1 rounds")


def test_a_job_begins_when_the_one_before_it_is_done(run, server_site):
    jobs = {f"link {n}": NumberJob(number=20 + n) for n in (3, 2, 1)}
    after = {"link 3": "link 2", "link 2": "link 1", "link 1": "done long ago"}
    order = []
    outcome = run(jobs, after=after, on_record=lambda label, record: order.append(label))
    assert order == ["link 1", "link 2", "link 3"]
    assert outcome.records["link 3"].square == 23**2


def test_what_comes_after_a_failure_fails_with_it(run, server_site):
    jobs = {
        "last": NumberJob(number=32),
        "next": NumberJob(number=31),
        "broken": NumberJob(number=30, behaviour="raise"),
    }
    outcome = run(jobs, after={"next": "broken", "last": "next"})
    assert outcome.records == {}
    assert outcome.failures["next"] == "broken, whose network it starts from, failed."
    assert outcome.failures["last"] == "next, whose network it starts from, failed."


def test_a_chain_goes_on_in_the_next_round_where_a_worker_died(run, server_site):
    jobs = {"frail": NumberJob(number=40, behaviour="die once"), "heir": NumberJob(number=41)}
    outcome = run(jobs, after={"heir": "frail"})
    assert {label: record.square for label, record in outcome.records.items()} == {
        "frail": 1600,
        "heir": 1681,
    }
