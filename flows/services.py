"""What a run needs beside it while it works: Prefect's server, MLflow's database."""

from collections.abc import Iterator
from contextlib import contextmanager

from flows.server import begin_server
from flows.watch import Watch
from tasks.site import Site
from tasks.tracking import connect


@contextmanager
def services(site: Site, watch: Watch) -> Iterator[None]:
    """Have the servers up for the body; afterwards every task run is in a final state.

    Raises:
        ServiceError: a server does not answer.
    """
    watch.on_stage("services", "Prefect's server, MLflow's database")
    with begin_server(site.open_workspace()) as server:
        # The server takes seconds to start, and so does this.
        import flows.session  # noqa: PLC0415, F401  Prefect and torch

        connect(site)
        server.wait()
        try:
            yield
            watch.on_stage("services", "writing down the last task runs")
        finally:
            server.settle()  # after a failure the stage that failed is still shown
