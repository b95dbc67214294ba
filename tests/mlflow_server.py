"""MLflow's server on this machine: its database and the files that it passes on, in one folder."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager

_LIMIT_S = 120.0
_POLL_S = 0.1


@contextmanager
def serving(folder):
    """Serve inside the block; yield the address. Clients reach files through the server alone."""
    folder.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--workers", "1"]
    words += ["--artifacts-destination", str(folder / "files")]
    words += ["--host", "127.0.0.1", "--port", str(port)]
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *words],
            env=os.environ
            | {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        _await(address, process, folder / "log.txt")
        yield address
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _await(address, process, log):
    deadline = time.monotonic() + _LIMIT_S
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        try:
            with opener.open(f"{address}/health", timeout=5):
                return
        except OSError:
            time.sleep(_POLL_S)
