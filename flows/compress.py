"""A compression run as its caller sees it: services up, the flow, services down."""

import time
from typing import TYPE_CHECKING

from flows.inputs import check_inputs, locate_inputs
from flows.services import services
from flows.watch import Watch
from mixmatch.config import RunConfig
from tasks.site import Site

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
    watch.on_stage("inputs", "data set, checkpoint, network")
    inputs = locate_inputs(config, site)
    check_inputs(config, inputs, site)
    with services(site, watch, load="flows.family"):
        from flows.family import run_family_flow  # noqa: PLC0415  Prefect and torch

        summary = run_family_flow(config, site, inputs, watch)
    seconds = {**summary.seconds, "total": time.monotonic() - started}
    return summary.model_copy(update={"seconds": seconds})
