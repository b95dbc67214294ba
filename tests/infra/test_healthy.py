"""The health checks as compose runs them: a process, its exit status and what it says."""

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.infra.compose import ROOT

LOGIN = "Basic YWRtaW46cmlnaHQ="  # admin:right
STATUS = {"served": "READY", "alone": "NOT_READY", "resting": "PAUSED"}


class Prefect(BaseHTTPRequestHandler):
    def do_GET(self):
        pool = self.path.rpartition("/")[2]
        if self.path == "/health":
            status, content = 200, {}
        elif self.headers.get("Authorization") != LOGIN:
            status, content = 401, {}
        else:
            status, content = (200, {"status": STATUS[pool]}) if pool in STATUS else (404, {})
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def server():
    server = HTTPServer(("127.0.0.1", 0), Prefect)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def check(server, *checks, login="admin:right"):
    done = subprocess.run(
        [sys.executable, str(ROOT / "infra" / "healthy.py"), *checks],
        env={"PREFECT_API_URL": f"{server}/api", "PREFECT_API_AUTH_STRING": login},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr.strip()


def test_what_works_is_healthy(server):
    assert check(server, f"{server}/health", "pool:served") == (0, "")
    assert check(server, "pool:resting") == (0, "")


def test_each_check_counts(server):
    assert check(server, f"{server}/health", "pool:alone") == (1, "no worker serves the pool alone")


def test_a_refusal_is_no_health(server):
    url = f"{server}/api/work_pools/served"
    assert check(server, "pool:served", login="admin:wrong") == (1, f"{url} answers 401")


def test_silence_is_no_health(server):
    status, message = check(server, "http://127.0.0.1:9/health")
    assert status == 1
    assert message.startswith("http://127.0.0.1:9/health does not answer: ")
