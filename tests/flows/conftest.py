"""One real Prefect server for all tests of the flows; a module directs itself to it."""

import pytest

from flows.server import local_server
from flows.server.managed import ServerHold
from tasks.site import Site
from tasks.workspace import Workspace


@pytest.fixture(scope="session")
def server_workspace(tmp_path_factory):
    workspace = Workspace.open(tmp_path_factory.mktemp("flows"))
    hold = ServerHold(workspace)
    hold.wait()
    yield workspace
    hold.release()


@pytest.fixture(scope="module")
def server_site(server_workspace):
    with local_server(server_workspace):
        yield Site.at(server_workspace)
