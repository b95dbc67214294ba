"""Failures of MLflow that pass by themselves: a locked database, a server that is restarted."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# More than a minute in all; SQLite waits another 5 s each time, and MLflow's own client longer.
DELAYS_S = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0)


def may_pass(error: object) -> bool:
    """Say whether the same call may succeed a little later."""
    if not isinstance(error, BaseException):
        return False
    if getattr(error, "error_code", None) == "TEMPORARILY_UNAVAILABLE":
        return True
    from requests.exceptions import ConnectionError as NoConnection  # noqa: PLC0415  slow to load
    from requests.exceptions import Timeout  # noqa: PLC0415  likewise

    if isinstance(error, ConnectionError | TimeoutError | NoConnection | Timeout):
        return True
    return may_pass(error.__cause__ or error.__context__)


def patiently(work: Callable[[], T]) -> T:
    """Return ``work()``, which can be repeated, trying again while its failure may pass."""
    for delay_s in DELAYS_S:
        try:
            return work()
        except Exception as error:
            if not may_pass(error):
                raise
            time.sleep(delay_s)
    return work()
