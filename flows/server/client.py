"""Prefect's client side in this process: which server it talks to, and what it still has to say.

Uses only what has been imported already: Prefect takes seconds, which a server can use to start.
"""

import logging
import os
import sys
from base64 import b64encode
from typing import Any

from flows.server.environment import URL_VARIABLE

_SEND_S = 10.0


def reload_settings() -> None:
    """Make changed variables effective if Prefect was imported before: it reads them only then."""
    if context := _imported("prefect.context"):
        context.refresh_global_settings_context()
    configuration = _imported("prefect.logging.configuration")
    if configuration and configuration.PROCESS_LOGGING_CONFIG:
        _remove_console()
        configuration.setup_logging(incremental=False)


def chosen_by_user() -> str | None:
    """Return the address of the server that the user set, by variable or settings context."""
    if url := os.environ.get(URL_VARIABLE):
        return url
    context = _imported("prefect.context")
    # This is set inside temporary_settings only, unlike the context that `get` returns.
    chosen = context.SettingsContext.__var__.get(None) if context else None
    return chosen.settings.api.url if chosen else None


def login() -> dict[str, str]:
    """Return the header by which Prefect's server knows us; empty where no credentials are set."""
    from prefect.settings import get_current_settings  # noqa: PLC0415  takes seconds

    api = get_current_settings().api
    if api.auth_string is not None:
        token = b64encode(api.auth_string.get_secret_value().encode()).decode()
        return {"Authorization": f"Basic {token}"}
    if api.key is not None:
        return {"Authorization": f"Bearer {api.key.get_secret_value()}"}
    return {}


def send_all(timeout_s: float = _SEND_S) -> None:
    """Wait until the events and log lines of this process have reached the server.

    Ends Prefect's two sending threads: they stick to the server that they began with. The next
    event starts new ones.
    """
    if events := _imported("prefect.events.worker"):
        events.EventsWorker.drain_all(timeout=timeout_s, at_exit=False)
    if logs := _imported("prefect.logging.handlers"):
        logs.APILogWorker.drain_all(timeout=timeout_s, at_exit=False)


def _remove_console() -> None:
    """Take Prefect's handler from the root logger; its default configuration puts it back."""
    handlers, root = _imported("prefect.logging.handlers"), logging.getLogger()
    for handler in list(root.handlers):
        if handlers and isinstance(handler, handlers.PrefectConsoleHandler):
            root.removeHandler(handler)


def _imported(name: str) -> Any:  # noqa: ANN401  a module
    return sys.modules.get(name)
