"""How often something may be done that costs time beside the work it belongs to."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

# Times what it costs, before it is done again: a tenth of the time at most.
_PAUSE = 9.0


class Pace:
    """Says when it is time again, so that what it costs stays below a tenth of all time."""

    def __init__(self) -> None:
        """Begin to count now."""
        self._since = time.monotonic()
        self._cost_s: float | None = None

    def is_due(self, estimate_s: float = 0.0) -> bool:
        """Say whether it may be done now.

        Args:
            estimate_s: what it is thought to cost, in seconds; read until it has been measured.
        """
        cost = estimate_s if self._cost_s is None else self._cost_s
        return time.monotonic() - self._since >= _PAUSE * cost

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Do it inside the block: what that takes says when the next time is."""
        began = time.monotonic()
        try:
            yield
        finally:
            self._since = time.monotonic()
            self._cost_s = self._since - began
