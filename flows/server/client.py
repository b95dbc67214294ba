"""Prefect's client side in this process: which server it talks to, and what it still has to say.

Imports Prefect only where it has been imported already: it takes seconds, which a server can use
to start.
"""

import os
import sys

from flows.server.environment import URL_VARIABLE

_SEND_S = 10.0


def reload_settings() -> None:
    """Make changed variables effective if Prefect was imported before: it reads them only then."""
    if not _is_imported():
        return
    from prefect.context import refresh_global_settings_context  # noqa: PLC0415  is imported
    from prefect.logging.configuration import setup_logging  # noqa: PLC0415  is imported

    refresh_global_settings_context()
    setup_logging(incremental=False)


def chosen_by_user() -> str | None:
    """Return the address of the server that the user set, by variable or settings context."""
    if url := os.environ.get(URL_VARIABLE):
        return url
    if not _is_imported():
        return None
    from prefect.context import SettingsContext  # noqa: PLC0415  is imported

    context = SettingsContext.__var__.get(None)  # set inside temporary_settings only
    return context.settings.api.url if context else None


def send_all(timeout_s: float = _SEND_S) -> None:
    """Wait until the events and log lines of this process have reached the server.

    Ends Prefect's two sending threads: they stick to the server that they began with. The next
    event starts new ones.
    """
    if not _is_imported():
        return
    from prefect.events.worker import EventsWorker  # noqa: PLC0415  is imported
    from prefect.logging.handlers import APILogWorker  # noqa: PLC0415  is imported

    EventsWorker.drain_all(timeout=timeout_s, at_exit=False)
    APILogWorker.drain_all(timeout=timeout_s, at_exit=False)


def _is_imported() -> bool:
    return "prefect.main" in sys.modules
