"""Time several calls in turn, so that whatever slows the machine slows all of them alike."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import TypeVar

from mixmatch.errors import ConfigError

K = TypeVar("K")
Clock = Callable[[], float]  # seconds from some moment on, never going back

# One turn of a fast call holds several calls: only the first of them finds the caches as another
# call left them, as none does where a network runs alone.
TURN_S = 0.02
MIN_TURNS = 7


@dataclass(frozen=True, slots=True)
class Quartiles:
    """What many timings of one call come to.

    Attributes:
        median_s: seconds.
        low_s: first quartile, seconds.
        high_s: third quartile, seconds.
        num_repeats: calls that were timed.
    """

    median_s: float
    low_s: float
    high_s: float
    num_repeats: int


def time_in_turn(
    calls: Mapping[K, Callable[[], object]],
    *,
    limit_s: float,
    min_turns: int = MIN_TURNS,
    turn_s: float = TURN_S,
    clock: Clock = time.perf_counter,
) -> dict[K, tuple[float, ...]]:
    """Return the seconds that each call took, every time it was made, in order.

    The calls take turns; in a turn a call is made until ``turn_s`` have passed, at least once. A
    first round of turns warms up and is not counted. Rounds go on until ``limit_s`` per call have
    passed since then, and each has had ``min_turns`` turns.

    Args:
        calls: by any key; what they return is dropped.
        limit_s: seconds for each call on average; slow calls take longer, see ``min_turns``.
        min_turns: turns that each call has at least, at least 1.
        turn_s: see above.
        clock: a test passes its own.

    Raises:
        ConfigError: ``min_turns`` is below 1.
    """
    if min_turns < 1:
        raise ConfigError(f"min_turns must be at least 1, got {min_turns}.")
    for call in calls.values():
        _turn(call, turn_s, clock)
    seconds: dict[K, list[float]] = {key: [] for key in calls}
    started, num_turns = clock(), 0
    while num_turns < min_turns or clock() - started < limit_s * len(calls):
        for key, call in calls.items():
            seconds[key] += _turn(call, turn_s, clock)
        num_turns += 1
    return {key: tuple(values) for key, values in seconds.items()}


def quartiles_of(seconds: Sequence[float]) -> Quartiles:
    """Sum up timings of one call; quartiles are interpolated between the nearest two.

    Args:
        seconds: at least one.
    """
    if len(seconds) == 1:
        return Quartiles(seconds[0], seconds[0], seconds[0], num_repeats=1)
    low, _, high = quantiles(seconds, n=4, method="inclusive")
    return Quartiles(median(seconds), low, high, num_repeats=len(seconds))


def _turn(call: Callable[[], object], turn_s: float, clock: Clock) -> list[float]:
    """Call until ``turn_s`` have passed; return the seconds of each call."""
    seconds: list[float] = []
    started = before = clock()
    while not seconds or before - started < turn_s:
        call()
        after = clock()
        seconds.append(after - before)
        before = after
    return seconds
