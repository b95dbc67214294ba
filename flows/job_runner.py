"""Prefect's Dask task runner, made cheap for a thousand jobs of one flow.

As it comes, it writes down all of Prefect's settings for every job, and hashes all that it sends in
order to recognize equal calls: together 0.1 s per job and more. The settings do not change in a
round, and no two jobs are equal.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, cast
from uuid import uuid4

from prefect.client.schemas.objects import RunInput
from prefect.context import SettingsContext
from prefect.tasks import Task
from prefect_dask.task_runners import DaskTaskRunner, PrefectDaskFuture


class JobRunner(DaskTaskRunner):
    """Submits each call under a name of its own."""

    def submit(  # type: ignore[override]  # of Prefect's overloads we use the plain one
        self,
        task: Task[..., Any],
        parameters: dict[str, Any],
        wait_for: Iterable[PrefectDaskFuture[Any]] | None = None,
        dependencies: dict[str, set[RunInput]] | None = None,
    ) -> PrefectDaskFuture[Any]:
        """Send ``task`` to a worker; its parameters hold no futures."""
        future: Any = self.client.submit(  # type: ignore[no-untyped-call]  # as all of Dask
            task,
            key=f"{task.name}-{uuid4().hex}",
            parameters=parameters,
            wait_for=wait_for,
            dependencies=dependencies,
            return_type="state",
        )
        return PrefectDaskFuture(wrapped_future=future, task_run_id=future.task_run_id)


class _Unchanging(SettingsContext):
    """Prefect's settings as they are now; what is sent of them to workers is written once."""

    def serialize(self, include_secrets: bool = True) -> dict[str, Any]:
        """Return the same object every time; nobody changes it."""
        return self._written if include_secrets else super().serialize(include_secrets=False)

    @cached_property
    def _written(self) -> dict[str, Any]:
        return super().serialize(include_secrets=True)


@contextmanager
def unchanging_settings() -> Iterator[None]:
    """Hold Prefect's settings as they are for the block, in which jobs are submitted."""
    now = cast(SettingsContext, SettingsContext.get())
    with _Unchanging(profile=now.profile, settings=now.settings):
        yield
