"""Writes to MLflow that may be repeated: a run is found by its key, and nothing is logged twice.

MLflow itself refuses to change a parameter and appends a metric that it already has.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run

KEY_TAG = "mixmatch.key"
PARENT_TAG = "mlflow.parentRunId"
FINISHED = "FINISHED"

_MAX_VALUE_LENGTH = 6000  # of a parameter; MLflow's limit
_MAX_TAG_LENGTH = 8000  # likewise
_MAX_PER_CALL = 100  # parameters or tags; MLflow's limit
_MAX_METRICS_PER_CALL = 1000
_MAX_RUNS_PER_CALL = 1000

T = TypeVar("T")


def find_run(
    client: "MlflowClient", experiment_id: str, key: str, *, parent: str | None = None
) -> "Run | None":
    """Return the oldest run tagged with ``key`` (below ``parent``), or None."""
    wanted = f"tags.`{KEY_TAG}` = '{key}'"
    if parent is not None:
        wanted += f" and tags.`{PARENT_TAG}` = '{parent}'"
    found: Sequence[Run] = client.search_runs(
        [experiment_id], wanted, max_results=1, order_by=["attributes.start_time ASC"]
    )
    return found[0] if found else None


def find_children(client: "MlflowClient", experiment_id: str, parent: str) -> "dict[str, Run]":
    """Return the runs below ``parent`` by their key; of two with one key the older one."""
    wanted = f"tags.`{PARENT_TAG}` = '{parent}'"
    found: dict[str, Run] = {}
    token: str | None = None
    while True:
        page = client.search_runs(
            [experiment_id],
            wanted,
            max_results=_MAX_RUNS_PER_CALL,
            order_by=["attributes.start_time ASC"],
            page_token=token,
        )
        for run in page:
            if key := run.data.tags.get(KEY_TAG):
                found.setdefault(key, run)
        token = page.token
        if not token:
            return found


def put(
    client: "MlflowClient",
    run: "Run",
    *,
    params: Mapping[str, str] | None = None,
    metrics: Mapping[str, float] | None = None,
    tags: Mapping[str, str] | None = None,
    points: Sequence["Metric"] = (),
) -> None:
    """Log what ``run`` does not say yet, and append ``points`` to its curves.

    A parameter that is there stays; a metric or a tag is written where its value differs.
    """
    from mlflow.entities import Metric, Param, RunTag  # noqa: PLC0415  takes seconds

    said, now = run.data, now_ms()
    new_params = [
        Param(name, value[:_MAX_VALUE_LENGTH])
        for name, value in (params or {}).items()
        if name not in said.params
    ]
    new_metrics = [
        Metric(name, value, now, 0)
        for name, value in (metrics or {}).items()
        if said.metrics.get(name) != value
    ]
    new_tags = [
        RunTag(name, value[:_MAX_TAG_LENGTH])
        for name, value in (tags or {}).items()
        if said.tags.get(name) != value
    ]
    run_id = run.info.run_id
    for some_params in _parts(new_params, _MAX_PER_CALL):
        client.log_batch(run_id, params=some_params)
    for some_tags in _parts(new_tags, _MAX_PER_CALL):
        client.log_batch(run_id, tags=some_tags)
    for some_points in _parts([*new_metrics, *points], _MAX_METRICS_PER_CALL):
        client.log_batch(run_id, metrics=some_points)


def now_ms() -> int:
    """Return the time as MLflow counts it: milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def _parts(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]
