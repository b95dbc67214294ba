"""Begin to start a workspace's server, do other things, and wait for it when it is needed."""

import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from http.client import HTTPException

from flows.server.client import chosen_by_user, login, reload_settings, send_all
from flows.server.environment import (
    LOGIN_VARIABLE,
    URL_VARIABLE,
    changed_environment,
    common_environment,
    managed_environment,
)
from flows.server.managed import ServerHold
from mixmatch.addresses import shown
from mixmatch.errors import ServiceError
from tasks.workspace import Workspace

_ANSWER_S = 10.0
_SETTLE_S = 30.0
_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


class ServerStart:
    """A server on its way; ``wait`` for it before the first flow runs."""

    def __init__(self, workspace: Workspace, stack: ExitStack) -> None:
        """Hold the workspace's server, or use the user's; ``stack`` undoes it all."""
        self._workspace, self._stack = workspace, stack
        self._user_url = chosen_by_user()
        self._hold = None if self._user_url else ServerHold(workspace)
        if self._hold:
            stack.callback(self._hold.release)
        self._use()

    def wait(self) -> str:
        """Return the address of the API once it answers.

        Raises:
            ServiceError: our server did not start, or the user's does not answer or refuses us.
        """
        if self._hold is None:
            return _answering(str(self._user_url))
        expected = self._hold.url
        url = self._hold.wait()
        if url != expected:
            self._use()
        return url

    def settle(self, timeout_s: float = _SETTLE_S) -> None:
        """Wait until the server has written all that this process told it.

        Task runs are written from events, some time after their flow has ended. If nobody else
        holds the server, no task run can still be alive: what stays unfinished becomes Crashed.
        """
        from flows.settling import settle_abandoned  # noqa: PLC0415  Prefect takes seconds

        send_all(timeout_s)
        if self._hold:
            settle_abandoned(self._hold.is_only, timeout_s)

    def _use(self) -> None:
        """Direct this process, and all that it starts from now on, to the server."""
        self._workspace.logs.mkdir(parents=True, exist_ok=True)
        variables = (
            managed_environment(self._workspace, self._hold.url)
            if self._hold
            else common_environment(self._workspace)
        )
        self._stack.enter_context(changed_environment(variables))
        reload_settings()


@contextmanager
def begin_server(workspace: Workspace) -> Iterator[ServerStart]:
    """Begin to start the workspace's server, and hold it inside the block.

    Where PREFECT_API_URL is set, that server is used and none is started. Inside the block the
    environment leads to the server, for this process (also if it imported Prefect before) and for
    those that it starts; afterwards it is as before.
    """
    with ExitStack() as stack:
        stack.callback(reload_settings)  # last of all, when the variables are back
        server = ServerStart(workspace, stack)
        try:
            yield server
        finally:
            send_all()


@contextmanager
def local_server(workspace: Workspace) -> Iterator[str]:
    """Hold the workspace's server inside the block; yields the address of its API.

    Raises:
        ServiceError: it did not start, or the one at PREFECT_API_URL does not answer.
    """
    with begin_server(workspace) as server:
        yield server.wait()


def _answering(url: str) -> str:
    """Return ``url`` if a server answers there and lets us in.

    Raises:
        ServiceError: none answers, it refuses the credentials, or they stand in the address.
    """
    if (without := shown(url)) != url:
        raise ServiceError(
            f"{URL_VARIABLE} must hold no credentials, which {LOGIN_VARIABLE} takes, got "
            f"{without!r}."
        )
    try:
        _status(f"{url}/health", {})  # is told to anybody
        status = _status(f"{url}/admin/version", login())
    except (OSError, ValueError, HTTPException) as error:
        raise ServiceError(
            f"{URL_VARIABLE} must be the address of a Prefect server that answers, got "
            f"{shown(url)!r} ({error}); unset it to use a local server."
        ) from error
    if status in _REFUSED:
        found = "which refuses what is set" if login() else "and is not set"
        raise ServiceError(
            f"{LOGIN_VARIABLE} must be USER:PASSWORD of the Prefect server at {shown(url)}, "
            f"{found}."
        )
    return url


def _status(url: str, headers: Mapping[str, str]) -> int:
    """Return the status of an answer.

    Raises:
        OSError: there is none.
        ValueError: that is no address.
    """
    try:
        request = urllib.request.Request(url, headers=dict(headers))
        with urllib.request.urlopen(request, timeout=_ANSWER_S) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
