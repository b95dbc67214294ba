"""Ratios of two ways to do one work, measured in turn, and what a recorded one allows."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

# A ratio that falls below this part of the recorded one has got worse by more than a third.
LEAST_PART = 2 / 3


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two ways to do one work.

    Attributes:
        key: names the ratio in files.
        work: what is done.
        peer: what does it instead of us.
        goal: the stated least of peer / ours; None: there is none.
        ours: does the work; returns the seconds to count, or None to count all.
        theirs: does it as the peer, likewise.
    """

    key: str
    work: str
    peer: str
    goal: float | None
    ours: Callable[[], object]
    theirs: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Measured:
    """What the repeats of one comparison came to.

    Attributes:
        of: what was compared.
        ours_s: seconds by repeat.
        theirs_s: seconds by repeat.
    """

    of: Comparison
    ours_s: Sequence[float]
    theirs_s: Sequence[float]

    @property
    def ratios(self) -> list[float]:
        """Peer / ours, within each repeat."""
        return [theirs / ours for ours, theirs in zip(self.ours_s, self.theirs_s, strict=True)]

    @property
    def ratio(self) -> float:
        """Median over the repeats."""
        return statistics.median(self.ratios)

    @property
    def row(self) -> str:
        """Line of a Markdown table: medians, range of the ratio, the goal and whether it is met."""
        ours, theirs = statistics.median(self.ours_s), statistics.median(self.theirs_s)
        spread = f"{self.ratio:.3g} ({min(self.ratios):.3g} to {max(self.ratios):.3g})"
        goal = "-" if self.of.goal is None else f"{self.of.goal:.3g}"
        verdict = "-" if self.of.goal is None else ("yes" if self.ratio >= self.of.goal else "NO")
        cells = (self.of.work, self.of.peer, seconds(ours), seconds(theirs), spread, goal, verdict)
        return "| " + " | ".join(cells) + " |"


HEADING = (
    "| work | beside | ours | beside | beside / ours (range) | goal, at least | met |\n"
    "|---|---|---|---|---|---|---|"
)


def measure(compared: Sequence[Comparison], num_repeats: int) -> list[Measured]:
    """Run all works in turn, ``num_repeats`` times after a first time for both sides."""
    times: list[tuple[list[float], list[float]]] = [([], []) for _ in compared]
    for comparison in compared:
        comparison.ours()
        comparison.theirs()
    for number in range(num_repeats):
        for comparison, (ours, theirs) in zip(compared, times, strict=True):
            sides = [(ours, comparison.ours), (theirs, comparison.theirs)]
            for kept, work in sides if number % 2 == 0 else reversed(sides):
                kept.append(timed(work))
    return [
        Measured(comparison, ours, theirs)
        for comparison, (ours, theirs) in zip(compared, times, strict=True)
    ]


def timed(work: Callable[[], object]) -> float:
    """Return how long ``work`` takes, with the release of its result, or what it says it took."""
    started = time.perf_counter()
    said = work()
    if isinstance(said, float):
        return said
    del said
    return time.perf_counter() - started


def fallen(recorded: Mapping[str, float], now: Mapping[str, float]) -> list[str]:
    """Return a sentence for every recorded ratio that fell by more than a third, or is missing."""
    sentences = []
    for key, before in recorded.items():
        if key not in now:
            sentences.append(f"{key} was {before:.3g} and is not measured any more.")
        elif now[key] < before * LEAST_PART:
            least = before * LEAST_PART
            sentences.append(
                f"{key} must be at least {least:.3g} (two thirds of the recorded {before:.3g}), "
                f"got {now[key]:.3g}."
            )
    return sentences


def seconds(value: float) -> str:
    """Write a time with three digits and a unit that suits it."""
    return f"{1000 * value:.3g} ms" if value < 1 else f"{value:.3g} s"
