"""Who works on a flow run that has no owner among its parameters: a schedule wrote those.

``run_flow`` names its owner as a parameter; entry points for schedules say it by a label.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from flows.abandonment import beat_of_this_run, own_this_run
from flows.server import kept_up
from tasks.leases import held
from tasks.site import Site


@contextmanager
def owned(site: Site) -> Iterator[None]:
    """Own the flow run that is running here for the block: if this process dies, reap closes it.

    Prefect's server stays up for it, though whoever started the run be killed.
    """
    workspace = site.open_workspace()
    with held(workspace) as lease, kept_up(workspace):
        own_this_run(lease.owner)
        if beat := beat_of_this_run():
            lease.on_beat(beat)
        yield
