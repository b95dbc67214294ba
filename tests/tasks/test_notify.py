"""Webhooks told by a real server on this machine."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tasks import notify as module
from tasks.notify import NEW_FRONT, notify


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(module, "_WAIT_S", 0.0)


@pytest.fixture
def hook():
    """A server that answers with the codes in ``answers`` in turn, then with 200."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.server.heard.append((self.path, body))
            self.send_response(self.server.answers.pop(0) if self.server.answers else 200)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.heard, server.answers = [], []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_webhook_hears_event_and_facts(hook):
    assert notify([f"http://127.0.0.1:{hook.server_port}/x"], NEW_FRONT, {"run_id": "1"}) == ()
    ((path, body),) = hook.heard
    assert path == "/x"
    assert (body["event"], body["facts"]) == ("mixmatch.front.new", {"run_id": "1"})


def test_a_secret_is_filled_in_from_the_environment(hook, monkeypatch):
    monkeypatch.setenv("TOKEN", "s3cret")
    address = f"http://127.0.0.1:{hook.server_port}/hooks/${{TOKEN}}"
    assert notify([address], NEW_FRONT, {}) == ()
    assert hook.heard[0][0] == "/hooks/s3cret"


def test_no_log_line_has_the_secret(hook, monkeypatch, caplog):
    monkeypatch.setenv("HOOK_PART", "T0pSecret")
    with caplog.at_level("DEBUG"):
        notify([f"http://127.0.0.1:{hook.server_port}/${{HOOK_PART}}"], NEW_FRONT, {})
    assert hook.heard
    assert "T0pSecret" not in caplog.text


def test_what_can_pass_by_itself_is_tried_again(hook):
    hook.answers = [503, 429]
    assert notify([f"http://127.0.0.1:{hook.server_port}"], NEW_FRONT, {}) == ()
    assert len(hook.heard) == 3


def test_a_refusal_is_a_sentence_without_the_path(hook):
    hook.answers = [404]
    place = f"http://127.0.0.1:{hook.server_port}"
    warning = f"The webhook {place} was not told of mixmatch.front.new: it answered 404."
    assert notify([f"{place}/hooks/s3cret"], NEW_FRONT, {}) == (warning,)
    assert len(hook.heard) == 1


def test_nobody_at_home_and_a_missing_secret_are_sentences_and_keep_no_other_from_hearing(hook):
    addresses = (
        "http://127.0.0.1:9/x",
        "${NOT_SET_ANYWHERE}/x",
        f"http://127.0.0.1:{hook.server_port}",
    )
    assert notify(addresses, NEW_FRONT, {}) == (
        "The webhook http://127.0.0.1:9 was not told of mixmatch.front.new: ConnectError.",
        "The webhook ${NOT_SET_ANYWHERE} was not told of mixmatch.front.new: the environment must "
        "hold NOT_SET_ANYWHERE, and does not.",
    )
    assert len(hook.heard) == 1
