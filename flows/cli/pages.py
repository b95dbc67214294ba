"""The command ``ui``: MLflow's and Prefect's pages over one workspace, until Ctrl-C."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from flows.cli.foreground import ctrl_c_on_sigterm
from flows.cli.options import WorkspaceFolder, open_site
from mixmatch.addresses import shown
from mixmatch.errors import ConfigError, ServiceError
from tasks.quiet import offline_environment

if TYPE_CHECKING:
    from tasks.leases import Lease
    from tasks.site import Site

_HOST = "127.0.0.1"
_START_S = 300.0  # MLflow takes 7 s on an idle machine, and the machine may be busy
_ANSWER_S = 2.0
_END_S = 10.0
_POLL_S = 0.25

Port = Annotated[
    int | None,
    typer.Option("--port", min=1, max=65535, help="Port of MLflow's pages; else a free one."),
]


def ui(workspace: WorkspaceFolder = None, port: Port = None) -> None:
    """Serve MLflow's and Prefect's pages until Ctrl-C.

    Example: mixmatch ui --port 5000
    """
    site = open_site(workspace)

    from flows.server import begin_server  # noqa: PLC0415  next to its user
    from tasks.leases import held  # noqa: PLC0415  slow to load

    typer.echo("Starting the pages; this takes some seconds.", err=True)
    with (
        ctrl_c_on_sigterm(),
        held(site.open_workspace()) as lease,
        begin_server(site.open_workspace()) as server,
        mlflow_pages(site, port, lease) as address,
    ):
        prefect_address = server.wait().removesuffix("/api")
        typer.echo(f"MLflow:  {address}")
        typer.echo(f"Prefect: {prefect_address}")
        typer.echo("Ctrl-C ends what was started here.", err=True)
        _wait_for_ctrl_c()


@contextmanager
def mlflow_pages(site: "Site", port: int | None, lease: "Lease | None" = None) -> Iterator[str]:
    """Serve MLflow's pages over a workspace inside the block; yields their address.

    Where the workspace is tracked by an MLflow server, the pages are that server's.

    Raises:
        ConfigError: ``port`` is taken, or stated where the pages are another server's.
        ServiceError: they do not answer in time.
    """
    from tasks.tracking import prepare_tracking  # noqa: PLC0415  next to its user

    uri = prepare_tracking(site)
    if urlsplit(uri).scheme in {"http", "https"}:
        if port is not None:
            raise ConfigError(
                f"--port must be left out where MLFLOW_TRACKING_URI names a server, got {port}: "
                f"MLflow's pages are at {shown(uri)}."
            )
        yield shown(uri)
        return
    chosen = _free_port(port)
    workspace = site.open_workspace()
    workspace.logs.mkdir(exist_ok=True)
    log = workspace.logs / "mlflow-pages.log"
    arguments = ["--host", _HOST, "--port", str(chosen)]
    # Several workers are supervised by one that ends those which a busy machine makes slow.
    arguments += ["--workers", "1"]
    arguments += ["--default-artifact-root", workspace.mlflow_artifacts.as_uri()]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *arguments],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={
                **os.environ,
                **offline_environment(),
                # No argument, which all users here can read: it may hold a password.
                "MLFLOW_BACKEND_STORE_URI": uri,
                # Jobs cost two processes more, and an address that others could call.
                "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            },
            start_new_session=True,  # a group of its own, so that its children end with it
        )
    if lease is not None:
        lease.adopt(process.pid)  # if this process is killed, its pages end with the next reap
    try:
        _wait_for_health(process, chosen, log)
        yield f"http://{_HOST}:{chosen}"
    finally:
        _end_group(process)


def _wait_for_health(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + _START_S
    while time.monotonic() < end and process.poll() is None:
        if _is_healthy(port):
            return
        time.sleep(_POLL_S)
    state = "did not answer" if process.poll() is None else "ended"
    address = f"http://{_HOST}:{port}"
    raise ServiceError(f"MLflow's pages must answer at {address}, but {state}; see {log}")


def _is_healthy(port: int) -> bool:
    """Ask directly: a proxy of the environment does not know this machine's ports."""
    connection = HTTPConnection(_HOST, port, timeout=_ANSWER_S)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End a process and its children, kindly first."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, kind)
        except ProcessLookupError:
            break
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def _free_port(wanted: int | None) -> int:
    """Return ``wanted``, or any port, if it is free now.

    Raises:
        ConfigError: ``wanted`` is taken, or not ours to take.
    """
    with socket.socket() as probe:
        # As servers do: a port whose last connections are still closing is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, wanted or 0))
        except OSError as error:
            raise ConfigError(
                f"--port must be a free port, got {wanted} ({error.strerror})."
            ) from error
        port: int = probe.getsockname()[1]
        return port


def _wait_for_ctrl_c() -> None:
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        typer.echo("Ending the pages.", err=True)
