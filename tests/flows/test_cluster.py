import os
import sys

import dask
import pytest
from distributed import Client, Security

from flows import cluster
from flows.cluster import local_cluster, num_workers
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


def look():
    """What a worker process is and has: its number, its variables, what it has loaded."""
    names = ("OMP_NUM_THREADS", "MALLOC_ARENA_MAX")
    return os.getpid(), [os.environ.get(x) for x in names], "tasks.member" in sys.modules


def test_workers_start_with_threads_and_memory_set_and_with_everything_loaded(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("MALLOC_ARENA_MAX", "5")  # the user's choice
    with local_cluster(1, 3, tmp_path) as cluster, Client(cluster) as client:
        assert client.submit(look).result()[1:] == (["3", "5"], True)
        assert dask.config.get("distributed.scheduler.allowed-failures") == 0
        assert cluster.scheduler_address.startswith("tls://127.0.0.1:")
    assert os.environ["OMP_NUM_THREADS"] == "7"


@pytest.mark.parametrize("certificates", [None, Security.temporary()])
def test_another_user_of_this_machine_gets_nothing_to_run(tmp_path, certificates):
    with local_cluster(1, 1, tmp_path) as cluster:
        scheduler = cluster.scheduler_address
        for address in (scheduler, scheduler.replace("tls://", "tcp://")):
            with pytest.raises((OSError, RuntimeError, TypeError, ValueError)):
                Client(address, security=certificates, timeout="2s")
        with Client(cluster) as client:
            assert client.submit(os.getpid).result() != os.getpid()
