"""Prefect's flow runs, read whole."""

from collections.abc import Sequence

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowFilter, FlowFilterName, FlowRunFilter
from prefect.client.schemas.objects import FlowRun

_PAGE = 200


def all_flow_runs(
    client: SyncPrefectClient, names: Sequence[str], chosen: FlowRunFilter
) -> list[FlowRun]:
    """Return every page at once: a run that the caller closes meanwhile would shift the pages.

    Args:
        client: of the server.
        names: of the flows.
        chosen: which of their runs.
    """
    flows = FlowFilter(name=FlowFilterName(any_=list(names)))
    found: list[FlowRun] = []
    while True:
        page = client.read_flow_runs(
            flow_filter=flows, flow_run_filter=chosen, limit=_PAGE, offset=len(found)
        )
        found += page
        if len(page) < _PAGE:
            return found
