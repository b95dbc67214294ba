"""The command ``ui``: MLflow's and Prefect's pages over one workspace, until Ctrl-C."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import WorkspaceFolder, open_site

if TYPE_CHECKING:
    from tasks.site import Site

_HOST = "127.0.0.1"
_START_S = 120.0  # MLflow takes 7 s on an idle machine, and the machine may be busy
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

    from flows.server import local_server  # noqa: PLC0415  Prefect takes seconds to load

    typer.echo("Starting the pages; this takes some seconds.", err=True)
    prefect = local_server(site.open_workspace())
    with _ctrl_c_on_sigterm(), mlflow_pages(site, port) as address, prefect:
        typer.echo(f"MLflow:  {address}")
        typer.echo(f"Prefect: {os.environ['PREFECT_API_URL'].removesuffix('/api')}")
        typer.echo("Ctrl-C ends both.", err=True)
        _wait_for_ctrl_c()


@contextmanager
def mlflow_pages(site: "Site", port: int | None) -> Iterator[str]:
    """Serve MLflow's pages over a workspace inside the block; yields their address.

    Raises:
        ServiceError: they do not answer in time, for example because the port is taken.
    """
    from tasks.tracking import prepare_tracking  # noqa: PLC0415  next to its user

    uri, chosen = prepare_tracking(site), port or _free_port()
    workspace = site.open_workspace()
    workspace.logs.mkdir(exist_ok=True)
    log = workspace.logs / "mlflow-pages.log"
    arguments = ["--backend-store-uri", uri, "--host", _HOST, "--port", str(chosen)]
    arguments += ["--default-artifact-root", workspace.mlflow_artifacts.as_uri()]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *arguments],
            stdout=output,
            stderr=subprocess.STDOUT,
            # Jobs cost two processes more, and an address that others could call.
            env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            start_new_session=True,  # a group of its own, so that its children end with it
        )
    try:
        _wait_for_health(process, f"http://{_HOST}:{chosen}/health", str(log))
        yield f"http://{_HOST}:{chosen}"
    finally:
        _end_group(process)


def _wait_for_health(process: subprocess.Popen[bytes], address: str, log: str) -> None:
    import httpx  # noqa: PLC0415  slow to load

    from mixmatch.errors import ServiceError  # noqa: PLC0415  next to its user

    end = time.monotonic() + _START_S
    while time.monotonic() < end and process.poll() is None:
        try:
            if httpx.get(address, timeout=_POLL_S * 4).is_success:
                return
        except httpx.TransportError:
            time.sleep(_POLL_S)
    state = "did not answer" if process.poll() is None else "ended"
    raise ServiceError(f"MLflow's pages must answer at {address}, but {state}; see {log}")


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


def _free_port() -> int:
    import socket  # noqa: PLC0415  only this function needs it

    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _ctrl_c_on_sigterm() -> Iterator[None]:
    """Treat a polite end like Ctrl-C, so that the servers end with this process."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _wait_for_ctrl_c() -> None:
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        typer.echo("Ending the pages.", err=True)
