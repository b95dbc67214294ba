"""A stand-in for Prefect's server: answers as healthy within milliseconds."""

import sys

import pytest

from flows.server import process
from tasks.workspace import Workspace

STAND_IN = """#!{python}
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *args):
        pass
port = int(sys.argv[sys.argv.index("--port") + 1])
http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


@pytest.fixture
def workspace(tmp_path):
    return Workspace.open(tmp_path / "workspace")


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Take the stand-in for Prefect's server; return the program."""
    program = tmp_path / "stand-in"
    program.write_text(STAND_IN.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setattr(process.sys, "executable", str(program))
    return program
