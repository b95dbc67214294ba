"""Jobs on an existing Dask cluster of real processes, which die, come back, or are unfit."""

import pytest
from prefect import flow

from flows import scheduler
from flows.fan_out import fan_out
from flows.local_workers import local_workers
from flows.scheduler import check_scheduler, existing_cluster
from flows.steps import as_task
from mixmatch.config import EngineSettings
from mixmatch.errors import ServiceError
from tests.flows.dask_cluster import dask_cluster, free_port
from tests.flows.stand_in_steps import NumberJob, square

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with dask_cluster(tmp_path_factory.mktemp("dask"), num_workers=2) as cluster:
        yield cluster


def run(site, address, jobs, **settings):
    engine = EngineSettings(kind="dask", address=address)
    task = as_task(square, site, run_name="{label}")

    @flow
    def parent():
        with local_workers(site) as workers:
            return fan_out(task, jobs, site, engine=engine, workers=workers, **settings)

    return parent()


def squares(outcome):
    return {label: record.square for label, record in outcome.records.items()}


def num_calls(site, label):
    return len(list((site.open_workspace().root / "calls").glob(f"{label}-*")))


def test_a_job_that_fails_and_one_that_kills_its_worker_lose_no_other(server_site, cluster):
    jobs = {
        "one": NumberJob(number=51),
        "refused": NumberJob(number=52, behaviour="raise"),
        "killed": NumberJob(number=53, behaviour="die once"),
        "four": NumberJob(number=54),
    }
    outcome = run(server_site, cluster.address, jobs)
    assert squares(outcome) == {"one": 2601, "killed": 2809, "four": 2916}
    assert outcome.failures == {"refused": "The number 52 must not be used."}
    assert num_calls(server_site, "killed") == 2


def test_a_scheduler_that_dies_and_comes_back_loses_nothing(server_site, tmp_path):
    with dask_cluster(tmp_path, num_workers=1) as cluster:
        jobs = {f"before {n}": NumberJob(number=60 + n) for n in range(3)}

        def restart(label, record):
            if label == "before 0":
                cluster.scheduler.kill()
                cluster.scheduler.wait()
                cluster.start_scheduler()
                cluster.add_worker()

        outcome = run(server_site, cluster.address, jobs, on_record=restart)
    assert squares(outcome) == {"before 0": 3600, "before 1": 3721, "before 2": 3844}


def test_a_scheduler_that_does_not_answer_is_one_sentence():
    address = f"tcp://127.0.0.1:{free_port()}"
    message = (
        rf"^engine.address must be the address of a .* that answers, got '{address}' \(.+\)\.$"
    )
    with pytest.raises(ServiceError, match=message):
        check_scheduler(address, timeout_s=0.5)


def test_workers_without_an_accelerator_are_not_sent_jobs_that_need_one(
    server_site, cluster, monkeypatch
):
    monkeypatch.setattr(scheduler, "_RETURN_S", 0.5)
    with pytest.raises(ServiceError, match="must have a worker that declares the resource GPU=1"):
        existing_cluster(cluster.address, server_site, accelerated=True)
