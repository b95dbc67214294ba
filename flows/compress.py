"""A compression run as its caller sees it: services up, the flow, services down."""

import time
from typing import TYPE_CHECKING

from flows.inputs import locate_inputs
from flows.server import begin_server
from flows.watch import Watch
from mixmatch.config import RunConfig
from tasks.site import Site
from tasks.tracking import connect

if TYPE_CHECKING:
    from tasks.summary import RunSummary


def compress(config: RunConfig, site: Site, *, watch: Watch) -> "RunSummary":
    """Turn one trained network into a tracked, registered, versioned family.

    Members that fail are named in the summary; the others are kept and published, and the flow's
    run ends as failed.

    Args:
        config: the run file.
        site: workspace and store.
        watch: is told what happens.

    Raises:
        InputError: what the run file names is missing or wrong.
        FamilyError: no member of the family could be computed.
        ServiceError: a server that the run needs does not answer.
    """
    started = time.monotonic()
    watch.on_stage("inputs", "data set and checkpoint")
    inputs = locate_inputs(config, site)
    watch.on_stage("services", "Prefect's server, MLflow's database")
    with begin_server(site.open_workspace()) as server:
        # The server takes seconds to start, and so do these.
        from flows.family import run_family_flow  # noqa: PLC0415  Prefect and torch

        connect(site)
        server.wait()
        try:
            summary = run_family_flow(config, site, inputs, watch)
            watch.on_stage("services", "writing down the last task runs")
        finally:
            server.settle()  # after a failure the stage that failed is still shown
    seconds = {**summary.seconds, "total": time.monotonic() - started}
    return summary.model_copy(update={"seconds": seconds})
