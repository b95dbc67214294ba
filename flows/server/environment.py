"""The variables under which this process, and all that it starts, talks to one Prefect server."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tasks.quiet import offline_environment
from tasks.workspace import Workspace

URL_VARIABLE = "PREFECT_API_URL"
LOGIN_VARIABLE = "PREFECT_API_AUTH_STRING"

_LOOPBACK = ("127.0.0.1", "localhost")


def common_environment(workspace: Workspace) -> dict[str, str | None]:
    """Return the variables for any server: no telemetry, no pickle, no log line on the terminal."""
    return {
        **offline_environment(),
        "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",
        "PREFECT_LOGGING_SETTINGS_PATH": str(Path(__file__).with_name("logging.yaml")),
        "PREFECT_LOGGING_HANDLERS_FILE_FILENAME": str(workspace.logs / "prefect-runs.log"),
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    }


def managed_environment(workspace: Workspace, url: str) -> dict[str, str | None]:
    """Return the variables for a server of our own; None means unset."""
    return {
        **common_environment(workspace),
        URL_VARIABLE: url,
        "PREFECT_HOME": str(workspace.prefect),
        # No server of Prefect's own accord: that mode loses task runs when a process ends.
        "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
        # What a user's shell may hold for another server.
        "PREFECT_API_KEY": None,
        LOGIN_VARIABLE: None,
        "PREFECT_PROFILE": None,
        **{name: _with_loopback(os.environ.get(name)) for name in ("NO_PROXY", "no_proxy")},
    }


@contextmanager
def changed_environment(changes: Mapping[str, str | None]) -> Iterator[None]:
    """Set (or with None unset) variables inside the block, and put them back after it."""
    before = {name: os.environ.get(name) for name in changes}
    _set(changes)
    try:
        yield
    finally:
        _set(before)


def _set(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _with_loopback(no_proxy: str | None) -> str:
    """Add this machine to the hosts that are reached without a proxy."""
    hosts = [host for host in (no_proxy or "").split(",") if host]
    return ",".join([*hosts, *(host for host in _LOOPBACK if host not in hosts)])
