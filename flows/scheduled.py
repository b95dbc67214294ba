"""The flow of a deployment: what a schedule starts, in a process of Prefect's worker.

Its address, ``flows.scheduled.compress_scheduled``, stands in every deployment.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.compress import compress_if_changed
from flows.failures import refuse_failures
from flows.ownership import owned
from flows.watch import NullWatch
from mixmatch.config import parse_run_config
from tasks.quiet import apply_offline_environment
from tasks.site import Site
from tasks.summary import RunSummary
from tasks.workspace import Workspace

ENTRYPOINT = "flows.scheduled.compress_scheduled"
FLOW_NAME = "compress-scheduled"
UP_TO_DATE = "UpToDate"


@flow(name=FLOW_NAME, validate_parameters=False, retries=0)
def compress_scheduled(config: Mapping[str, object], workspace: str) -> State[Any]:
    """Compress what the settings name, unless nothing has changed since a finished run.

    Args:
        config: a whole run file; its places are absolute, and it holds no secret.
        workspace: folder of the workspace.

    Returns:
        A final state that says what came of it; its name is ``UpToDate`` where nothing was done.

    Raises:
        FamilyError: members failed; those that finished are kept.
        MixMatchError: as of ``compress``.
    """
    apply_offline_environment()
    settings = parse_run_config(config, "The deployment's parameter config")
    site = Site.at(Workspace.open(Path(workspace)), settings.store)
    with owned(site):
        outcome = compress_if_changed(settings, site, watch=NullWatch())
    state = _state(outcome)
    get_run_logger().info(state.message)
    return state


def _state(outcome: RunSummary | str) -> State[Any]:
    if isinstance(outcome, str):
        message = f"Up to date: nothing has changed since the MLflow run {outcome}."
        return Completed(name=UP_TO_DATE, message=message)
    refuse_failures(outcome)
    front = sum(row.on_front for row in outcome.results)
    message = f"{len(outcome.results)} results, {front} on the front; MLflow run {outcome.run_id}."
    return Completed(message=" ".join((message, *outcome.warnings)))
