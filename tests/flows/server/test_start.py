import os
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from flows.server import begin_server, local_server, server_url
from mixmatch.errors import ServiceError

LOGIN = "Basic YWRtaW46cmlnaHQ="  # admin:right


class Healthy(BaseHTTPRequestHandler):
    def do_GET(self):
        refused = self.server.asks and self.headers.get("Authorization") != LOGIN
        self.send_response(200 if self.path == "/api/health" else 401 if refused else 404)
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def user_server(monkeypatch):
    server = HTTPServer(("127.0.0.1", 0), Healthy)
    server.asks = False
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{server.server_port}/api")
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def no_server_chosen(monkeypatch):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)


def test_the_environment_leads_to_the_server_inside_the_block_only(workspace, stand_in):
    before = dict(os.environ)
    with local_server(workspace) as url:
        assert os.environ["PREFECT_API_URL"] == url == server_url(workspace)
        assert os.environ["PREFECT_HOME"] == str(workspace.prefect)
        assert os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert dict(os.environ) == before
    assert server_url(workspace) is None


def test_prefect_takes_the_server_although_it_was_imported_before(workspace, stand_in):
    from prefect.settings import PREFECT_API_URL, PREFECT_HOME

    before = PREFECT_API_URL.value(), PREFECT_HOME.value()
    with local_server(workspace) as url:
        assert PREFECT_API_URL.value() == url
        assert PREFECT_HOME.value() == workspace.prefect
    assert (PREFECT_API_URL.value(), PREFECT_HOME.value()) == before


def test_the_server_starts_while_the_caller_does_other_things(workspace, stand_in):
    with begin_server(workspace) as server:
        while server_url(workspace) is None:
            pass
        assert server.wait() == server_url(workspace)


def test_inside_the_block_the_server_counts_as_chosen(workspace, stand_in):
    with local_server(workspace) as outer, local_server(workspace) as inner:
        assert inner == outer


def test_the_users_server_is_used_and_none_is_started(workspace, user_server):
    with local_server(workspace) as url:
        assert url == f"http://127.0.0.1:{user_server.server_port}/api"
        assert server_url(workspace) is None
    assert not workspace.prefect.exists()


def test_a_users_server_that_does_not_answer_is_named(workspace, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    message = r"PREFECT_API_URL must be .* that answers, got 'http://127\.0\.0\.1:9/api'"
    with pytest.raises(ServiceError, match=message), local_server(workspace):
        pass


def test_an_address_with_credentials_is_refused_and_not_shown(workspace, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://me:hunter2@host/api")
    message = r"^PREFECT_API_URL must hold no credentials, which .* got 'http://\*\*\*@host/api'\.$"
    with pytest.raises(ServiceError, match=message), local_server(workspace):
        pass


def test_an_address_that_is_none_is_one_sentence(workspace, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://host:many/api")
    message = r"^PREFECT_API_URL must be the address of .* got 'http://host:many/api'"
    with pytest.raises(ServiceError, match=message), local_server(workspace):
        pass


@pytest.mark.parametrize("given", [None, "admin:wrong"])
def test_a_users_server_that_refuses_the_credentials_is_one_sentence(
    workspace, user_server, given, monkeypatch
):
    user_server.asks = True
    if given:
        monkeypatch.setenv("PREFECT_API_AUTH_STRING", given)
    found = "which refuses what is set" if given else "and is not set"
    message = rf"^PREFECT_API_AUTH_STRING must be USER:PASSWORD of .*/api, {found}\.$"
    with pytest.raises(ServiceError, match=message) as caught, local_server(workspace):
        pass
    assert "wrong" not in str(caught.value)


def test_a_users_server_is_shown_the_credentials(workspace, user_server, monkeypatch):
    user_server.asks = True
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "admin:right")
    with local_server(workspace) as url:
        assert url.endswith("/api")
