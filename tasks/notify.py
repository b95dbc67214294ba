"""Tell other systems what happened: a JSON document by POST to every webhook of the run file.

Nobody's run fails because a webhook does: what could not be told comes back as a sentence.
"""

import datetime
import logging
import os
import random
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from urllib.parse import urlsplit

import httpx

from mixmatch.config.notify import VARIABLE

FAILED = "mixmatch.run.failed"
NEW_FRONT = "mixmatch.front.new"

_TIMEOUT_S = 10.0
_TRIES = 3
_WAIT_S = 1.0  # before the second try; doubled before each further one
_PASSING = (
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)


def notify(addresses: Sequence[str], event: str, facts: Mapping[str, object]) -> tuple[str, ...]:
    """Tell each of ``addresses`` that ``event`` happened.

    Args:
        addresses: of webhooks, as the run file names them; ``${NAME}`` is filled in here.
        event: one of this module's names, for example ``NEW_FRONT``.
        facts: what is known of it, plain JSON.

    Returns:
        One sentence for each webhook that was not told, with its host only: paths hold secrets.
    """
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    message = {"event": event, "at": now, "facts": dict(facts)}
    reasons = [(address, _tell(address, message)) for address in addresses]
    return tuple(
        f"The webhook {_shown(address)} was not told of {event}: {reason}."
        for address, reason in reasons
        if reason is not None
    )


def _tell(address: str, message: Mapping[str, object]) -> str | None:
    """Post a message; say why if it did not arrive."""
    missing = [x for x in VARIABLE.findall(address) if not os.environ.get(x)]
    if missing:
        return f"the environment must hold {missing[0]}, and does not"
    url = VARIABLE.sub(lambda found: os.environ[found[1]], address)
    reason: str | None = None
    for number in range(_TRIES):
        if number:
            time.sleep(_WAIT_S * 2 ** (number - 1) * (1 + random.random()))  # not all at once
        reason, may_pass = _post(url, message)
        if reason is None or not may_pass:
            break
    return reason


def _post(url: str, message: Mapping[str, object]) -> tuple[str | None, bool]:
    """Post once; return why it failed, or None, and whether that can pass by itself."""
    logging.getLogger("httpx").setLevel(logging.WARNING)  # at INFO it logs the whole address
    try:
        answer = httpx.post(url, json=message, timeout=_TIMEOUT_S)
    except httpx.TransportError as error:
        return f"{type(error).__name__}", True
    except (httpx.InvalidURL, httpx.HTTPError) as error:
        return f"{type(error).__name__}", False
    if answer.is_success:
        return None, False
    return f"it answered {answer.status_code}", answer.status_code in _PASSING


def _shown(address: str) -> str:
    """Return scheme and host of an address, or the variable that holds it."""
    whole = VARIABLE.match(address)
    if whole:
        return whole[0]
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
