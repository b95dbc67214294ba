"""The stage that is running, as both displays see it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.progress import MemberProgress


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage; replaced as a whole, so that a drawing thread never sees half of it.

    Attributes:
        name: what it is called.
        detail: what it does now.
        started_at: monotonic seconds.
        folder: where its members tell their progress; None before they start.
        labels: the members that are computed in it.
    """

    name: str
    detail: str
    started_at: float
    folder: Path | None = None
    labels: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        """Name and detail as one line."""
        return f"{self.name}: {self.detail}" if self.detail else self.name

    @property
    def elapsed_s(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self.started_at

    def with_members(self, folder: Path, labels: Sequence[str]) -> "Stage":
        """Return the same stage, now with members to look at."""
        return replace(self, folder=folder, labels=tuple(labels))

    def members(self) -> "tuple[MemberProgress, ...]":
        """Read how far its members are; those that have not started yet are missing."""
        if self.folder is None:
            return ()
        from tasks.progress import read_progress  # noqa: PLC0415  pydantic is slow to load

        return tuple(x for x in read_progress(self.folder) if x.label in self.labels)

    def done(self, members: "Sequence[MemberProgress]") -> float:
        """Return the part of all members' work that is done at least, a fraction."""
        return sum(member.done for member in members) / max(1, len(self.labels))

    def remaining_s(self, done: float) -> float | None:
        """Return the seconds left at the pace so far; None before there is a pace."""
        return self.elapsed_s * (1.0 - done) / done if done > 0.0 else None


def clock(seconds: float) -> str:
    """Write a duration as people read it: ``0.4 s``, ``1:05``, ``2:00:00``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
