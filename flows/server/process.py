"""Prefect's server as a process of its own: start it, ask how it is, end it."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from flows.server.liveness import claim, is_claimed
from tasks.quiet import offline_environment
from tasks.workspace import Workspace

HOST = "127.0.0.1"

_ANSWER_S = 5.0
_END_S = 10.0
_POLL_S = 0.1

# What a shell may hold for another server, and how its clients log, must not reach this one.
_FOREIGN = ("PREFECT_API_", "PREFECT_SERVER_API_", "PREFECT_PROFILE", "PREFECT_LOGGING_")

# Kept for as long as this process lives: Popen warns when it is collected before its process ends.
_CHILDREN: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """A server that was started for a workspace; perhaps it is no longer alive.

    Attributes:
        pid: its process, which leads a process group of its own.
        port: where it listens on 127.0.0.1.
        started_at: seconds since 1970.
        lock: file whose lock it holds while it lives.
    """

    pid: int
    port: int
    started_at: float
    lock: str

    @property
    def url(self) -> str:
        """Address of its API."""
        return f"http://{HOST}:{self.port}/api"

    def is_alive(self) -> bool:
        """Say whether the process, or a child of it, still runs."""
        _reap_children()
        return is_claimed(Path(self.lock))

    def is_healthy(self) -> bool:
        """Say whether it answers; never through a proxy."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=_ANSWER_S)
        try:
            connection.request("GET", "/api/health")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def end(self) -> None:
        """Ask it to stop, then kill its whole group; returns when it is gone."""
        if self.is_alive():
            _signal(self.pid, signal.SIGTERM)
            self._await_end(_END_S)
        if self.is_alive():
            _signal(-self.pid, signal.SIGKILL)
            self._await_end(_END_S)
        Path(self.lock).unlink(missing_ok=True)

    def _await_end(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while self.is_alive() and time.monotonic() < deadline:
            time.sleep(_POLL_S)


def log_file(workspace: Workspace) -> Path:
    """Return where the server of ``workspace`` writes its log."""
    return workspace.logs / "prefect-server.log"


def start(workspace: Workspace) -> ServerProcess:
    """Start a server for ``workspace`` and remember it; it is not ready yet.

    It creates and migrates its database by itself. The caller holds the workspace's server lock.
    """
    home, log = workspace.prefect, log_file(workspace)
    home.mkdir(parents=True, exist_ok=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    port = _free_port()
    lock = home / f"server-{port}.lock"
    descriptor = claim(lock)
    try:
        with log.open("wb") as output:
            child = subprocess.Popen(
                [sys.executable, *_arguments(port)],
                cwd=home,  # Prefect would read settings from files in the working directory
                env=_environment(home, port),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in the terminal ends the run, not its server
                pass_fds=(descriptor,),
            )
    finally:
        os.close(descriptor)
    _CHILDREN.append(child)
    server = ServerProcess(child.pid, port, time.time(), str(lock))
    _remember(home, server)
    return server


def remembered(workspace: Workspace) -> ServerProcess | None:
    """Return the server that was last started for ``workspace``, if any; it may be dead."""
    try:
        return ServerProcess(**json.loads(_state_file(workspace.prefect).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def forget(workspace: Workspace) -> None:
    """Remove what is remembered of a server that has ended."""
    _state_file(workspace.prefect).unlink(missing_ok=True)


def end_forgotten(workspace: Workspace, *, kept: str | None) -> tuple[int, ...]:
    """End every server of ``workspace`` but that of the lock ``kept``; return their ports.

    They are known by the locks that they hold; the caller holds the workspace's server lock.
    """
    ended = []
    for lock in sorted(workspace.prefect.glob("server-*.lock")):
        if str(lock) == kept:
            continue
        port = int(lock.stem.removeprefix("server-"))
        for pid in _pids_of(port) if is_claimed(lock) else ():
            ServerProcess(pid, port, 0.0, str(lock)).end()
            ended.append(port)
        if not is_claimed(lock):
            lock.unlink(missing_ok=True)
    return tuple(ended)


def last_log_line(workspace: Workspace) -> str:
    """Return the last line of the server's log that says anything; empty if there is none."""
    try:
        with log_file(workspace).open(errors="replace") as lines:
            tail = deque((line.strip() for line in lines if line.strip()), maxlen=1)
    except OSError:
        return ""
    return tail[0] if tail else ""


def _environment(home: Path, port: int) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    return {
        **ours,
        **offline_environment(),
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_API_HOST": HOST,
        "PREFECT_SERVER_API_PORT": str(port),  # its pages look for the API there
        # By default any page that a browser here shows may call it, and make a worker run commands.
        "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": f"http://{HOST}:{port}",
    }


def _arguments(port: int) -> tuple[str, ...]:
    """Return the command of a server, by which a forgotten one is found again."""
    address = ("--host", HOST, "--port", str(port))
    return ("-m", "prefect", "server", "start", *address)


def _pids_of(port: int) -> list[int]:
    """Return the servers that were started for ``port`` and lead a process group."""
    wanted = list(_arguments(port))
    found = []
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if command[-len(wanted) :] == wanted and os.getpgid(process.pid) == process.pid:
            found.append(process.pid)
    return found


def _remember(home: Path, server: ServerProcess) -> None:
    fresh = home / "server.json.new"
    fresh.write_text(json.dumps(asdict(server)))
    fresh.replace(_state_file(home))


def _state_file(home: Path) -> Path:
    return home / "server.json"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _signal(target: int, number: signal.Signals) -> None:
    try:
        os.kill(target, number)
    except ProcessLookupError:
        return


def _reap_children() -> None:
    for child in _CHILDREN:
        child.poll()
