"""Servers beside a run, which a case stops, starts and lets fail."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.fault_run import own_environment
from tests.swift import BUCKET, Swift

Records = dict[str, tuple[object, object]]

_START_S = 300.0
_POLL_S = 0.25


class Server:
    """A server process that answers under ``health`` once it is up.

    Attributes:
        address: where it listens.
    """

    def __init__(
        self,
        command: list[str],
        *,
        host: str,
        health: str,
        log: Path,
        variables: Mapping[str, str],
    ) -> None:
        """Arrange it; ``{host}`` and ``{port}`` in ``command`` are filled in."""
        with socket.create_server((host, 0)) as probe:
            port = probe.getsockname()[1]
        self.address = f"http://{host}:{port}"
        self._command = [x.format(host=host, port=port) for x in command]
        self._health, self._log = health, log
        self._environment = {**own_environment(), "DO_NOT_TRACK": "true", **variables}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and return once it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *self._command],
                env=self._environment,
                cwd=self._log.parent,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"a server did not start:\n{self._log.read_text()}")
            time.sleep(_POLL_S)

    def freeze(self, seconds: float) -> None:
        """Stop it with all its children, and let it go on afterwards: it answers nothing."""
        self._signal(signal.SIGSTOP)
        time.sleep(seconds)
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """Kill it with all its children: nobody listens any more."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
            self._process = None

    def _signal(self, kind: signal.Signals) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, kind)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.address}{self._health}", timeout=5):
                return True
        except OSError:
            return False


def mlflow_server(workspace: Path, host: str = "127.0.0.1") -> Server:
    """Return an MLflow server over the database of ``workspace``; it is not started yet."""
    workspace.mkdir(parents=True, exist_ok=True)
    database = f"sqlite:///{workspace / 'mlflow.db'}"
    # Through the server: it takes no version whose files lie on its clients' disks.
    artifacts = str(workspace / "mlflow-artifacts")
    places = ["--backend-store-uri", database, "--artifacts-destination", artifacts]
    address = ["--host", "{host}", "--port", "{port}", "--allowed-hosts", "{host}:{port}"]
    return Server(
        ["mlflow", "server", *places, *address, "--workers", "1"],
        host=host,
        health="/health",
        log=workspace.with_name(f"{workspace.name}-mlflow.txt"),
        variables={
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        },
    )


def prefect_server(workspace: Path, host: str) -> Server:
    """Return a Prefect server over the database of ``workspace``; it is not started yet."""
    (workspace / "prefect").mkdir(parents=True, exist_ok=True)
    return Server(
        ["prefect", "server", "start", "--host", "{host}", "--port", "{port}"],
        host=host,
        health="/api/health",
        log=workspace.with_name(f"{workspace.name}-prefect.txt"),
        variables={
            "PREFECT_HOME": str(workspace / "prefect"),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        },
    )


@contextmanager
def started(server: Server) -> Iterator[Server]:
    """Have ``server`` up inside the block."""
    server.start()
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def object_store(folder: Path, host: str = "127.0.0.1") -> Iterator[Any]:
    """Have a Swift with a bucket up inside the block."""
    folder.mkdir(parents=True)
    server = Swift(folder, host)
    server.start()
    server.client.create_bucket(Bucket=BUCKET)
    try:
        yield server
    finally:
        server.stop()


def records_in_bucket(server: Any, prefix: str) -> Records:  # noqa: ANN401  no types in tests
    """Return what each record below ``prefix`` is, as ``records_of`` does for a folder."""
    return {
        x["Key"].removeprefix(f"{prefix}/"): (x["ETag"], str(x["LastModified"]))
        for x in _below(server, f"{prefix}/records/")
    }


def trainings_in_bucket(server: Any, prefix: str) -> list[str]:  # noqa: ANN401  likewise
    """Return the states of trainings that are left in the bucket."""
    return [x["Key"] for x in _below(server, f"{prefix}/training/")]


def _below(server: Any, prefix: str) -> list[dict[str, Any]]:  # noqa: ANN401  likewise
    found: list[dict[str, Any]] = server.client.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get(
        "Contents", []
    )
    return found
