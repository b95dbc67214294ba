"""A finished run, as a command asks for it before it starts anything; nothing here writes."""

from collections.abc import Iterable

from mixmatch.records import Record, Result, RivalResult
from tasks.site import Site
from tasks.tracking.connection import connect_if_there
from tasks.tracking.repeatable import FINISHED, KEY_TAG, PARENT_TAG, find_run
from tasks.tracking.results import result_tags


class FinishedRun(Record):
    """A parent run that has nothing left to do.

    Attributes:
        run_id: MLflow's identifier.
        tags: of the run.
    """

    run_id: str
    tags: dict[str, str]


def find_finished(
    site: Site, experiment: str, key: str, results: Iterable[Result | RivalResult]
) -> FinishedRun | None:
    """Return the finished parent run with ``key``; None if it, or a child of it, is not as asked.

    Args:
        site: where the tracking store is.
        experiment: name of the experiment.
        key: digest of everything that makes two runs the same.
        results: each must have a finished child run that says of its network what is true.
    """
    client = connect_if_there(site)
    found = client.get_experiment_by_name(experiment) if client else None
    if client is None or found is None or found.lifecycle_stage == "deleted":
        return None
    run = find_run(client, found.experiment_id, key)
    if run is None or run.info.status != FINISHED:
        return None
    wanted = f"tags.`{PARENT_TAG}` = '{run.info.run_id}' and attributes.status = '{FINISHED}'"
    said: dict[str, dict[str, str]] = {}
    token = None
    while True:
        page = client.search_runs([found.experiment_id], wanted, page_token=token)
        said |= {child.data.tags.get(KEY_TAG, ""): child.data.tags for child in page}
        token = page.token
        if not token:
            break
    for result in results:
        if not result_tags(result).items() <= said.get(result.key, {}).items():
            return None
    return FinishedRun(run_id=run.info.run_id, tags=dict(run.data.tags))
