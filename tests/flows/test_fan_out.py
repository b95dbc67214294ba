import sqlite3

import pytest
from prefect import flow

from flows.fan_out import fan_out
from flows.steps import as_task
from mixmatch.config import EngineSettings
from tests.flows.stand_in_steps import NumberJob, NumberRecord, square

pytestmark = pytest.mark.service

ENGINE = EngineSettings(workers=2)


def run(site, jobs, rounds=3):
    task = as_task(square, site, run_name="{label}")

    @flow
    def parent():
        return fan_out(task, jobs, site, engine=ENGINE, rounds=rounds)

    return parent()


def task_runs(site, labels):
    database = sqlite3.connect(site.open_workspace().prefect / "prefect.db")
    try:
        rows = database.execute("select name, state_name from task_run").fetchall()
    finally:
        database.close()
    return sorted(row for row in rows if row[0] in labels)


def num_calls(site, label):
    return len(list((site.open_workspace().root / "calls").glob(f"{label}-*")))


def test_a_job_that_fails_and_one_that_kills_its_worker_lose_no_other(server_site, capfd):
    jobs = {
        "first": NumberJob(number=1),
        "failing": NumberJob(number=2, behaviour="raise"),
        "dying": NumberJob(number=3, behaviour="die once"),
        "last": NumberJob(number=4),
    }
    outcome = run(server_site, jobs)
    squares = {label: record.square for label, record in outcome.records.items()}
    assert squares == {"first": 1, "dying": 9, "last": 16}
    assert outcome.failures == {"failing": "The number 2 must not be used."}
    assert num_calls(server_site, "failing") == 1
    assert num_calls(server_site, "dying") == 2
    finished = [row for row in task_runs(server_site, jobs) if row[1] != "Crashed"]
    assert finished == [
        ("dying", "Completed"),
        ("failing", "Failed"),
        ("first", "Completed"),
        ("last", "Completed"),
    ]
    assert capfd.readouterr() == ("", "")


def test_no_task_run_stays_unfinished(server_site):
    database = sqlite3.connect(server_site.open_workspace().prefect / "prefect.db")
    try:
        states = database.execute("select distinct state_type from task_run").fetchall()
    finally:
        database.close()
    assert set(states) <= {("COMPLETED",), ("FAILED",), ("CRASHED",)}


def test_a_second_run_takes_the_record_from_the_cache(server_site):
    jobs = {"cached": NumberJob(number=5)}
    first = run(server_site, jobs)
    second = run(server_site, jobs)
    assert isinstance(second.records["cached"], NumberRecord)
    assert second == first
    assert num_calls(server_site, "cached") == 1
    assert task_runs(server_site, jobs) == [("cached", "Cached"), ("cached", "Completed")]


def test_a_job_that_always_kills_its_worker_is_given_up(server_site):
    outcome = run(server_site, {"deadly": NumberJob(number=6, behaviour="die")}, rounds=1)
    assert outcome.records == {}
    assert list(outcome.failures) == ["deadly"]
    assert outcome.failures["deadly"].startswith("Its worker process died in each of 1 rounds")
