"""Dask on this machine: one worker process per job at a time, started for one flow."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dask
import distributed
from dask.system import CPU_COUNT

from flows.server.environment import changed_environment
from mixmatch.config import EngineSettings

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
# Freed memory is kept, in one heap, for the next tensor instead of being mapped and cleared anew:
# 30 % less processor time per training step of a ResNet-18 than with Dask's default.
_KEEP_BYTES = str(4 << 30)
_MEMORY = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_TRIM_THRESHOLD_": _KEEP_BYTES,
    "MALLOC_MMAP_THRESHOLD_": _KEEP_BYTES,
}
_LOGGERS = ("distributed", "distributed.client")  # the second has a level of its own
_HOST = "127.0.0.1"
# What the first job would wait for: Prefect, torch, timm.
_PRELOADED = ("flows.steps", "tasks.member")
_SETTINGS = {
    # A worker holds one job and none in reserve, so a death concerns one job only.
    "distributed.scheduler.worker-saturation": 1.0,
    # A job whose worker died is not run again behind our back: the next round does that.
    "distributed.scheduler.allowed-failures": 0,
    # A nanny that cannot bring its worker back must not leave us waiting for ever.
    "distributed.scheduler.no-workers-timeout": "120s",
    # Dask's default makes glibc give every large tensor back at once: see _MEMORY.
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


def worker_environment(threads: int) -> dict[str, str]:
    """Return the variables with which worker processes start: memory, threads per job."""
    variables = {name: os.environ.get(name, value) for name, value in _MEMORY.items()}
    return variables | {name: str(threads) for name in _THREAD_VARIABLES}


@contextmanager
def local_cluster(workers: int, threads: int, scratch: Path) -> Iterator[distributed.LocalCluster]:
    """Have ``workers`` processes up inside the block, of ``threads`` threads per job.

    Dask and the environment are set up for them as long: a worker that dies is started anew with
    what holds then. Temporary files of Dask go to ``scratch``. Whoever reaches a scheduler can run
    code as its user, so certificates of this block's own keep other users of the machine out.
    """
    with changed_environment(worker_environment(threads)), dask.config.set(_SETTINGS), _silent():
        cluster: Any = distributed.LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            host=_HOST,
            security=distributed.Security.temporary(),  # type: ignore[no-untyped-call]
            dashboard_address=None,
            # Without pages, and never on Dask's usual port, about which two runs would quarrel.
            scheduler_kwargs={"dashboard": False, "dashboard_address": f"{_HOST}:0"},
            memory_limit=0,  # 0: none; Dask would pause or kill workers that hold much
            local_directory=str(scratch),
            silence_logs=logging.CRITICAL,
            preload=list(_PRELOADED),
        )
        with cluster:
            yield cluster


@contextmanager
def _silent() -> Iterator[None]:
    """Keep Dask's log lines of this process to itself: a restarted worker is our business."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
