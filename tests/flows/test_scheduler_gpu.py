"""Which worker gets a job that needs an accelerator: none here has one, they only say so."""

from itertools import pairwise

import pytest
from prefect import flow

from flows.fan_out import fan_out
from flows.local_workers import local_workers
from flows.steps import as_task
from mixmatch.config import EngineSettings
from tests.flows.dask_cluster import dask_cluster
from tests.flows.stand_in_steps import AcceleratedJob, NumberJob, occupy

pytestmark = pytest.mark.service

NUM_JOBS = 6


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Two workers without an accelerator, two that declare one each."""
    with dask_cluster(tmp_path_factory.mktemp("dask"), num_workers=2) as cluster:
        for _ in range(2):
            cluster.add_worker("--resources", "GPU=1")
        yield cluster


def run(site, cluster, kind):
    jobs = {f"{kind.__name__} {n}": kind(number=n) for n in range(NUM_JOBS)}
    task = as_task(occupy, site, run_name="{label}")

    @flow
    def parent():
        engine = EngineSettings(kind="dask", address=cluster.address)
        with local_workers(site) as workers:
            return fan_out(task, jobs, site, engine=engine, workers=workers)

    outcome = parent()
    assert outcome.failures == {}
    return outcome.records.values()


def by_process(records):
    times = {}
    for record in records:
        times.setdefault(record.square, []).append(record.values)
    return {process: sorted(spans) for process, spans in times.items()}


def test_jobs_for_accelerators_go_to_workers_that_declare_one_and_one_at_a_time(
    server_site, cluster
):
    spans = by_process(run(server_site, cluster, AcceleratedJob))
    assert len(spans) == 2
    for own in spans.values():
        assert all(end <= begin for (_, end), (begin, _) in pairwise(own))
    everywhere = by_process(run(server_site, cluster, NumberJob))
    assert everywhere.keys() - spans.keys()  # the others were there, and free
