"""One Prefect server per workspace: the first who needs it starts it, the last one ends it."""

import contextlib
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

from flows.server.environment import URL_VARIABLE
from flows.server.liveness import claim, is_claimed
from flows.server.process import (
    end_forgotten,
    forget,
    last_log_line,
    log_file,
    remembered,
    start,
)
from mixmatch.errors import ServiceError
from tasks.workspace import Workspace

_START_S = 180.0  # 25 s on two idle processors with an empty database, and they may be busy
_SILENCE_S = 20.0  # how long a server that is up may leave questions unanswered
_POLL_S = 0.1
_STARTS = 2  # a free port may be taken by somebody else before the server binds it


class ServerHold:
    """A claim on the workspace's server: while it is held, nobody ends the server."""

    def __init__(self, workspace: Workspace) -> None:
        """Claim the server, and start it if there is none; it need not be ready yet."""
        self._workspace = workspace
        self._folder = workspace.prefect / "holders"
        with _lock(workspace):
            self._file = self._folder / f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
            self._descriptor = claim(self._file)
            found = remembered(workspace)
            self._starts = int(found is None or not found.is_alive())
            self._server = start(workspace) if self._starts or found is None else found

    @property
    def url(self) -> str:
        """Address of the server's API."""
        return self._server.url

    def wait(self) -> str:
        """Return the address of the API once it answers; replace a server that never does.

        One that others hold is busy, as far as anybody can tell: it gets more time, and is never
        ended, since they could not find another.

        Raises:
            ServiceError: no server came up, or one that others hold stays silent.
        """
        while not self._answers():
            with _lock(self._workspace):
                self._replace()
        return self.url

    def is_only(self) -> bool:
        """Say whether nobody else holds the server."""
        with _lock(self._workspace):  # or a holder that is just coming would look dead
            return not self._others()

    def release(self) -> None:
        """Give the claim back; the last holder ends the server."""
        with _lock(self._workspace):
            self._file.unlink(missing_ok=True)
            os.close(self._descriptor)
            if not any(_living_holders(self._folder)):
                server = remembered(self._workspace) or self._server  # perhaps it was replaced
                server.end()
                forget(self._workspace)

    def _others(self) -> bool:
        """Say whether somebody else holds the server; the caller has the lock."""
        return any(file != self._file for file in _living_holders(self._folder))

    def _answers(self) -> bool:
        """Wait until the server answers; False if it died or stays silent for too long."""
        silence_s = _SILENCE_S if self.is_only() else _START_S
        patience = max(silence_s, self._server.started_at + _START_S - time.time())
        deadline = time.monotonic() + patience
        while self._server.is_alive() and time.monotonic() < deadline:
            if self._server.is_healthy():
                return True
            time.sleep(_POLL_S)
        return False

    def _replace(self) -> None:
        current = remembered(self._workspace)
        if current is not None and current != self._server:
            self._server = current  # somebody else has replaced it already
            return
        if self._others() and self._server.is_alive():
            raise ServiceError(
                f"Prefect's local server must answer, and is silent while other commands use it; "
                f"wait for them, or end its process {self._server.pid} and theirs."
            )
        self._server.end()
        if self._starts >= _STARTS:
            raise ServiceError(
                "Prefect's local server must answer, and did not start; the last line of its log "
                f"{log_file(self._workspace)} is: {last_log_line(self._workspace)!r}."
            )
        self._server = start(self._workspace)
        self._starts += 1


@contextlib.contextmanager
def kept_up(workspace: Workspace) -> Iterator[None]:
    """Let nobody end the server of ``workspace`` as an orphan inside the block, if we use it.

    For a run whose starter holds the server, and may be killed before it. Afterwards the server is
    left as it is, since the run's last state is still to be told; another holder or the next reap
    ends it.
    """
    with _lock(workspace):
        found = remembered(workspace)
        is_ours = found is not None and found.url == os.environ.get(URL_VARIABLE)
        file = workspace.prefect / "holders" / f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        descriptor = claim(file) if is_ours else None
    try:
        yield
    finally:
        if descriptor is not None:
            file.unlink(missing_ok=True)
            os.close(descriptor)


def server_url(workspace: Workspace) -> str | None:
    """Return the address of the workspace's own server if one is up; starts nothing."""
    found = remembered(workspace)
    return found.url if found and found.is_alive() and found.is_healthy() else None


def end_orphans(workspace: Workspace) -> tuple[int, ...]:
    """End the servers of ``workspace`` that nobody holds; return their ports.

    That is the remembered one without living holders, and one whose starter was killed before it
    could write down what it had started.
    """
    with _lock(workspace):
        known = remembered(workspace)
        is_held = any(_living_holders(workspace.prefect / "holders"))
        ended = end_forgotten(workspace, kept=known.lock if known and is_held else None)
        if known is not None and not is_held:
            forget(workspace)
    return ended


def _living_holders(folder: Path) -> Iterator[Path]:
    """Yield the files of living holders, and remove those of dead ones."""
    for file in sorted(folder.glob("*")):
        if is_claimed(file):
            yield file
        else:
            file.unlink(missing_ok=True)


@contextlib.contextmanager
def _lock(workspace: Workspace) -> Iterator[None]:
    workspace.locks.mkdir(parents=True, exist_ok=True)
    with FileLock(workspace.locks / "prefect-server.lock"):
        yield
