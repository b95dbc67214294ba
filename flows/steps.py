"""What all Prefect tasks of the project share: one way to turn a step's function into a task.

A step's cache key is its job's key, and its result the step's record as JSON, never a pickle.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TaskRunContext

from mixmatch.errors import MixMatchError
from mixmatch.records import Record
from tasks.jobs import Job
from tasks.site import Site
from tasks.tracking.passing import DELAYS_S, may_pass

R = TypeVar("R", bound=Record)
T = TypeVar("T")


def as_task(
    step: Callable[..., R], site: Site, *, run_name: str | None = None, refresh: bool = False
) -> Task[..., R]:
    """Return the Prefect task that runs ``step``, a function with a parameter ``job``.

    Equal jobs share their result across flow runs and processes.

    Args:
        step: an importable function, because worker processes import it by name.
        site: its workspace keeps the results, apart for every store.
        run_name: name of the task's runs; parameters of ``step`` may stand in it in braces.
        refresh: whether to run although Prefect holds a result: the artifact store decides what is
            done, and its answer may be that the files behind that result are gone.
    """
    name = step.__name__.replace("_", "-")
    return Task(
        fn=step,
        name=name,
        task_run_name=run_name or name,
        cache_key_fn=_job_key,
        persist_result=True,
        result_storage=_results(site),
        result_serializer="json",
        refresh_cache=refresh,
        retries=0,  # a step is pure: a retry would only repeat its error
    )


def as_effect(function: Callable[..., T]) -> Task[..., T]:
    """Return the Prefect task that runs ``function``, whose work is to write somewhere else.

    Never cached: it finds out itself, where it writes, what is there already. So it is also tried
    again while its failure may pass by itself.
    """
    name = function.__name__.replace("_", "-")
    return Task(
        fn=function,
        name=name,
        task_run_name=name,
        cache_policy=NO_CACHE,
        retries=len(DELAYS_S),
        retry_delay_seconds=list(DELAYS_S),
        retry_condition_fn=_may_pass,
    )


def for_workers_elsewhere(task: Task[..., T]) -> Task[..., T]:
    """Return ``task`` for machines without our workspace: its result travels back, and only so."""
    return Task(
        fn=task.fn,
        name=task.name,
        task_run_name=task.task_run_name,
        cache_policy=NO_CACHE,
        persist_result=False,
        retries=0,
    )


def sentence_of(error: object) -> str:
    """Say why a step failed; our own errors are sentences already."""
    return str(error) if isinstance(error, MixMatchError) else f"{type(error).__name__}: {error}"


def _may_pass(task: Task[..., Any], task_run: TaskRun, state: State) -> bool:
    """Answer Prefect, which asks before it tries again."""
    del task, task_run
    return may_pass(state.result(raise_on_failure=False))


def _results(site: Site) -> Path:
    """Return where results lie; a store has its own, because a record names files in one store."""
    name = hashlib.sha256(site.store.encode()).hexdigest()[:16]
    return site.open_workspace().prefect / "results" / name


def _job_key(context: TaskRunContext, parameters: dict[str, Any]) -> str:
    """Return Prefect's cache key: the digest of the job's true inputs."""
    del context
    job: Job = parameters["job"]
    return job.key
