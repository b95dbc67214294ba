"""Events reach a file or a real server on this machine, and no trouble of theirs ends a run."""

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from openlineage.client.transport.http_common import DEFAULT_RETRY_CONFIG

from mixmatch.config import parse_run_config
from tasks.data import LocatedData
from tasks.lineage_events import Began, FlowId, Outcome, RunEvents
from tasks.site import Site

CONFIG = parse_run_config(
    {"name": "shapes", "data": {"name": "digits"}, "model": {"architecture": "test_resnet"}}, "r"
)
RUN = "0190a1b2-0000-7000-8000-000000000001"


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch):
    for name in [x for x in os.environ if x.startswith("OPENLINEAGE")]:
        monkeypatch.delenv(name)


@pytest.fixture
def server():
    """A server that keeps what it hears, and answers with ``server.answer``."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.server.heard.append((self.path, self.headers["Authorization"], body["eventType"]))
            self.send_response(self.server.answer)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.heard, server.answer = [], 200
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def events(tmp_path):
    data = LocatedData(label="embedded", source_digest="d1", path=None)
    site = Site(workspace=str(tmp_path), store=str(tmp_path / "store"))
    began = Began(
        flow=FlowId(RUN, "compress"), config=CONFIG, site=site, data=data, checkpoint=None
    )
    return RunEvents(began, Outcome())


def lines(tmp_path):
    return [json.loads(x) for x in (tmp_path / "openlineage.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    ("end", "state"),
    [
        (lambda x: x.completed(), "COMPLETE"),
        (lambda x: x.failed("It diverged."), "FAIL"),
        (lambda x: x.stopped(), "ABORT"),
    ],
)
def test_a_run_has_two_lines_in_the_workspace(events, tmp_path, end, state):
    events.began()
    end(events)
    assert [(x["eventType"], x["run"]["runId"]) for x in lines(tmp_path)] == [
        ("START", RUN),
        (state, RUN),
    ]
    assert events.problem is None


def test_what_a_killed_writer_left_spoils_no_event(events, tmp_path, caplog):
    (tmp_path / "openlineage.jsonl").write_text('{"eventType": "STA')
    events.began()
    assert [x["eventType"] for x in lines(tmp_path)] == ["START"]
    assert "ends in a torn line of 18 bytes: cut off." in caplog.text


def test_a_file_that_cannot_be_written_is_said_once_and_raises_nothing(events, tmp_path):
    (tmp_path / "openlineage.jsonl").mkdir()
    events.began()
    events.failed("It diverged.")
    assert events.problem == (
        f"OpenLineage was not told of the run's START: {tmp_path}/openlineage.jsonl must be a file "
        "that can be read and written (Is a directory)."
    )


def test_a_server_in_the_environment_is_told_with_its_key(events, server, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENLINEAGE_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("OPENLINEAGE_API_KEY", "hunter2")
    before = dict(os.environ)
    events.began()
    events.completed()
    assert server.heard == [
        ("/api/v1/lineage", "Bearer hunter2", "START"),
        ("/api/v1/lineage", "Bearer hunter2", "COMPLETE"),
    ]
    assert events.problem is None
    assert not (tmp_path / "openlineage.jsonl").exists()
    assert dict(os.environ) == before  # the client puts the key into names of its own


def test_any_transport_of_the_client_may_be_named(events, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__TYPE", "file")
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__LOG_FILE_PATH", str(tmp_path / "other.jsonl"))
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__APPEND", "true")
    events.began()
    assert json.loads((tmp_path / "other.jsonl").read_text())["eventType"] == "START"
    assert not (tmp_path / "openlineage.jsonl").exists()


def test_a_server_that_refuses_is_said_without_its_address(events, server, monkeypatch):
    server.answer = 401
    monkeypatch.setenv("OPENLINEAGE_URL", f"http://127.0.0.1:{server.server_port}/hunter2")
    events.began()
    events.completed()
    assert len(server.heard) == 2
    assert events.problem == "OpenLineage was not told of the run's START: it answered 401."


def test_a_server_that_is_away_is_said_once_and_not_at_every_try(events, monkeypatch, caplog):
    monkeypatch.setitem(DEFAULT_RETRY_CONFIG, "backoff_factor", 0.0)
    monkeypatch.setenv("OPENLINEAGE_URL", "http://127.0.0.1:9")
    events.began()
    assert events.problem == "OpenLineage was not told of the run's START: ConnectionError."
    assert caplog.text == ""


def test_a_configuration_that_is_not_there_is_no_reason_for_silence(events, monkeypatch):
    monkeypatch.setenv("OPENLINEAGE_CONFIG", "/nowhere/openlineage.yml")
    events.began()
    assert events.problem == (
        "OpenLineage was not told of the run's START: OPENLINEAGE_CONFIG must name a file, got "
        "'/nowhere/openlineage.yml'."
    )


def test_events_can_be_switched_off(events, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENLINEAGE_DISABLED", "true")
    events.began()
    assert events.problem is None
    assert not (tmp_path / "openlineage.jsonl").exists()
