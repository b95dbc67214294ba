import os

import dask
import pytest

from flows import cluster
from flows.cluster import dask_runner, num_workers
from mixmatch.config import EngineSettings


@pytest.mark.parametrize(
    ("workers", "threads", "num_jobs", "expected"),
    [
        ("auto", 1, 100, 8),
        ("auto", 3, 100, 2),
        ("auto", 16, 100, 1),
        ("auto", 1, 5, 5),
        (3, 1, 100, 3),
    ],
)
def test_workers_follow_from_settings_processors_and_jobs(
    workers, threads, num_jobs, expected, monkeypatch
):
    monkeypatch.setattr(cluster, "CPU_COUNT", 8)
    engine = EngineSettings(workers=workers, threads_per_job=threads)
    assert num_workers(engine, num_jobs, accelerated=False) == expected


def test_on_an_accelerator_one_worker_is_the_default():
    assert num_workers(EngineSettings(), 100, accelerated=True) == 1
    assert num_workers(EngineSettings(workers=4), 100, accelerated=True) == 4


def test_threads_and_memory_are_set_for_the_workers_and_put_back(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("MALLOC_ARENA_MAX", "5")
    with dask_runner(2, 3, tmp_path) as runner:
        assert os.environ["OMP_NUM_THREADS"] == "3"
        assert os.environ["MALLOC_ARENA_MAX"] == "5"  # the user's choice
        assert dask.config.get("distributed.scheduler.allowed-failures") == 0
        assert runner.cluster_kwargs["host"] == "127.0.0.1"
    assert os.environ["OMP_NUM_THREADS"] == "7"
