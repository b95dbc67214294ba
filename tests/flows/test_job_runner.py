"""Sixty jobs that do next to nothing: what a job costs the flow's process, and what it leaves."""

import time

import psutil
import pytest
from prefect import flow
from prefect.context import SettingsContext

from flows.fan_out import fan_out
from flows.job_runner import JobRunner, unchanging_settings
from flows.local_workers import local_workers
from flows.steps import as_task
from mixmatch.config import EngineSettings
from tests.flows.stand_in_steps import NumberJob, square

NUM_JOBS = 60
FIRST = 20  # jobs after which everything is warm


@pytest.fixture(scope="module")
def course(server_site):
    """Run the jobs once; after each: processor seconds, resident bytes, jobs under way."""
    found, num_submitted = [], 0
    submit = JobRunner.submit

    def counted(runner, *args, **kwargs):
        nonlocal num_submitted
        num_submitted += 1
        return submit(runner, *args, **kwargs)

    def note(label, record):
        memory = psutil.Process().memory_info().rss
        found.append((time.process_time(), memory, num_submitted - len(found)))

    @flow
    def parent():
        task = as_task(square, server_site, run_name="{label}")
        jobs = {f"many-{x}": NumberJob(number=1000 + x) for x in range(NUM_JOBS)}
        engine = EngineSettings(workers=2)
        with local_workers(server_site) as workers:
            return fan_out(task, jobs, server_site, engine=engine, workers=workers, on_record=note)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(JobRunner, "submit", counted)
        outcome = parent()
    assert len(outcome.records) == NUM_JOBS
    return found


@pytest.mark.service
def test_a_job_takes_little_of_the_flows_process(course):
    seconds = (course[-1][0] - course[FIRST][0]) / (NUM_JOBS - 1 - FIRST)
    assert seconds < 0.1  # 0.15 with all of Prefect's settings written down for every job


@pytest.mark.service
def test_memory_does_not_grow_with_the_number_of_jobs(course):
    assert course[-1][1] - course[FIRST][1] < 30e6


@pytest.mark.service
def test_no_more_jobs_are_submitted_than_keep_the_workers_busy(course):
    assert max(under_way for *_, under_way in course) == 8  # four per worker


def test_settings_are_written_down_once_and_as_prefect_would():
    plain = SettingsContext.get().serialize()
    with unchanging_settings():
        held = SettingsContext.get()
        assert held.serialize() == plain
        assert held.serialize() is held.serialize()
