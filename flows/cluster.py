"""Dask on this machine: one worker process per job at a time, started for one fan-out."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dask
import distributed
from dask.system import CPU_COUNT
from prefect_dask import DaskTaskRunner

from flows.server.environment import changed_environment
from mixmatch.config import EngineSettings

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_HOST = "127.0.0.1"
_SETTINGS = {
    # A worker holds one job and none in reserve, so a death concerns one job only.
    "distributed.scheduler.worker-saturation": 1.0,
    # A job whose worker died is not run again behind our back: the next round does that.
    "distributed.scheduler.allowed-failures": 0,
    # A nanny that cannot bring its worker back must not leave us waiting for ever.
    "distributed.scheduler.no-workers-timeout": "120s",
    # Dask's default would write to our own environment, and fix glibc's allocation thresholds,
    # after which every large tensor costs a system call and its page faults.
    "distributed.nanny.pre-spawn-environ": {},
}


def num_workers(engine: EngineSettings, num_jobs: int, *, accelerated: bool) -> int:
    """Return how many worker processes to start: as set, but never more than there are jobs.

    Args:
        engine: ``auto`` takes the processors this process may use over the threads of a job.
        num_jobs: jobs of the fan-out, at least one.
        accelerated: jobs run on an accelerator; then ``auto`` is one, which fills it.
    """
    wanted = engine.workers
    if wanted == "auto":
        wanted = 1 if accelerated else CPU_COUNT // engine.threads_per_job
    return max(1, min(wanted, num_jobs))


@contextmanager
def dask_runner(workers: int, threads: int, scratch: Path) -> Iterator[DaskTaskRunner]:
    """Yield a task runner that starts ``workers`` processes, of ``threads`` threads per job.

    Inside the block Dask is set up for it: use it once, in there. Its temporary files go to
    ``scratch``.
    """
    variables = {name: str(threads) for name in _THREAD_VARIABLES}
    with changed_environment(variables), dask.config.set(_SETTINGS):
        yield DaskTaskRunner(
            cluster_class=distributed.LocalCluster,
            cluster_kwargs={
                "n_workers": workers,
                "threads_per_worker": 1,
                "processes": True,
                "host": _HOST,
                "dashboard_address": None,
                "memory_limit": 0,  # 0: none; Dask would pause or kill workers that hold much
                "local_directory": str(scratch),
                "silence_logs": logging.CRITICAL,
            },
        )
