"""What a run needs beside it while it works: Prefect's server, MLflow's database."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module

from flows.reap import reap_beside_server
from flows.server import begin_server
from flows.watch import Watch
from tasks.site import Site
from tasks.tracking import connect
from tasks.tracking.passing import patiently


@contextmanager
def services(
    site: Site, watch: Watch, *, load: str, meanwhile: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Have the servers up for the body; afterwards every task run is in a final state.

    What killed processes left behind is closed first.

    Args:
        site: workspace and store.
        watch: is told what happens.
        load: module that the body needs; the server takes seconds to start, and so does loading it.
        meanwhile: what else may be begun before the server answers, with ``load`` loaded.

    Raises:
        ServiceError: a server does not answer.
    """
    watch.on_stage("services", "Prefect's server, MLflow's database")
    with begin_server(site.open_workspace()) as server:
        import_module(load)
        meanwhile()
        patiently(lambda: connect(site))
        server.wait()
        reap_beside_server(site)
        try:
            yield
            watch.on_stage("services", "writing down the last task runs")
        finally:
            server.settle()  # after a failure the stage that failed is still shown
