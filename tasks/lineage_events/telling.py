"""Send a run's events by OpenLineage's client: to a file of the workspace, unless it is configured.

Nobody's run fails because OpenLineage does: what could not be told is kept as a sentence.
"""

import datetime
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import RunState
from openlineage.client.serde import Serde
from openlineage.client.transport import Transport

from mixmatch.errors import ConfigError, MixMatchError
from tasks.line_file import LineFile
from tasks.lineage_events.events import run_event
from tasks.lineage_events.facts import Began, Outcome

URL_VARIABLE = "OPENLINEAGE_URL"
CONFIG_VARIABLE = "OPENLINEAGE_CONFIG"
_TRANSPORT_VARIABLES = "OPENLINEAGE__TRANSPORT"  # how the names of others begin
_SAYS_EVERY_TRY = "urllib3.connectionpool"


class LineTransport(Transport):
    """Appends each event to a file, whole or not at all, beside other writers.

    The client's own file transport leaves half a line where the disk is full.
    """

    kind = "mixmatch_lines"

    def __init__(self, file: Path) -> None:
        """Hold the file; nothing is created yet."""
        self._lines = LineFile(file)

    def emit(self, event: Any) -> None:  # noqa: ANN401  as the base class
        """Append one event.

        Raises:
            WorkspaceError: the file cannot be written.
        """
        self._lines.append(Serde.to_json(event))


class RunEvents:
    """Tells OpenLineage of one run; none of its methods raises what the telling raises.

    Attributes:
        problem: a sentence about the first event that was not told; None where all were.
    """

    def __init__(self, began: Began, outcome: Outcome) -> None:
        """Hold what is known, and what the run will fill in."""
        self.problem: str | None = None
        self._began, self._outcome = began, outcome

    def began(self) -> None:
        """Tell that the run begins."""
        self._tell(RunState.START)

    def completed(self) -> None:
        """Tell that it has done all that was asked."""
        self._tell(RunState.COMPLETE)

    def failed(self, reason: str) -> None:
        """Tell that it has failed, with what it made all the same."""
        self._tell(RunState.FAIL, reason)

    def stopped(self) -> None:
        """Tell that somebody stopped it."""
        self._tell(RunState.ABORT)

    def _tell(self, state: RunState, reason: str | None = None) -> None:
        now = datetime.datetime.now(datetime.UTC)
        try:
            event = run_event(state, self._began, self._outcome, now, reason=reason)
            with _leaving_no_trace():
                _client(self._began.site.open_workspace().lineage_events).emit(event)
        except Exception as error:  # whatever transports raise: no run ends by it
            why = _why(error)
            self.problem = (
                self.problem or f"OpenLineage was not told of the run's {state.value}: {why}"
            )


def _client(file: Path) -> OpenLineageClient:
    """Return the client as the environment configures it, else one that writes to ``file``.

    Raises:
        ConfigError: the environment names a file that is not there.
    """
    config = os.environ.get(CONFIG_VARIABLE)
    if config and not Path(config).is_file():  # the client would take no notice
        raise ConfigError(f"{CONFIG_VARIABLE} must name a file, got {config!r}.")
    names = (URL_VARIABLE, CONFIG_VARIABLE)
    if any(os.environ.get(x) for x in names) or _names_a_transport():
        return OpenLineageClient()
    return OpenLineageClient(transport=LineTransport(file))


def _names_a_transport() -> bool:
    return any(name.startswith(_TRANSPORT_VARIABLES) for name in os.environ)


def _why(error: Exception) -> str:
    """Say why without the address, which may hold secrets."""
    if isinstance(error, MixMatchError):
        return str(error)
    answer = getattr(error, "response", None)
    status = getattr(answer, "status_code", None)
    return f"{type(error).__name__}." if status is None else f"it answered {status}."


@contextmanager
def _leaving_no_trace() -> Iterator[None]:
    """Undo what the client does beside: it writes its key into the environment of all children.

    And the HTTP library is kept from warning of every try; the problem is said in the end.
    """
    logger, before = logging.getLogger(_SAYS_EVERY_TRY), set(os.environ)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
        for name in set(os.environ) - before:
            if name.startswith(_TRANSPORT_VARIABLES):
                del os.environ[name]
