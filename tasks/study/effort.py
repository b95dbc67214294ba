"""What a study took: wall time by session, processor time by kind of result."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest

from tasks.study.facts import Session
from tasks.study.row import StudyRow


@dataclass(frozen=True, slots=True)
class Stretch:
    """One session as people read it.

    Attributes:
        session: what was noted.
        seconds: wall time; of one without an end, until the last result before the next began.
    """

    session: Session
    seconds: float

    @property
    def was_ended(self) -> bool:
        """Whether it ended by itself; else it was killed, or still works."""
        return self.session.ended_at is not None


@dataclass(frozen=True, slots=True)
class Effort:
    """What the results of one kind took.

    Attributes:
        kind: of the results.
        num_results: how many.
        seconds: wall time of their jobs, which may have run side by side; one that seeds share
            counts once, and so does the start of a chain.
        cpu_seconds: processor time of those that measured it.
        num_measured: how many those are.
    """

    kind: str
    num_results: int
    seconds: float
    cpu_seconds: float
    num_measured: int


def stretches(sessions: Sequence[Session], rows: Sequence[StudyRow]) -> tuple[Stretch, ...]:
    """Return all sessions with the wall time that is known of them."""
    next_starts = [session.started_at for session in sessions[1:]]
    return tuple(
        Stretch(session, _seconds(session, end, rows))
        for session, end in zip_longest(sessions, next_starts)
    )


def efforts(rows: Sequence[StudyRow]) -> tuple[Effort, ...]:
    """Sum up by kind, in the order base, dense, family, rival."""
    found = []
    for kind in ("base", "dense", "family", "rival"):
        of_kind = [row for row in rows if row.kind == kind]
        num_measured = sum(row.cpu_seconds is not None for row in of_kind)
        jobs = distinct_jobs(of_kind)
        seconds = sum(row.seconds - row.seconds_before for row in jobs)
        cpu_seconds = sum(row.cpu_seconds or 0.0 for row in jobs)
        if of_kind:
            found.append(Effort(kind, len(of_kind), seconds, cpu_seconds, num_measured))
    return tuple(found)


def distinct_jobs(rows: Iterable[StudyRow]) -> list[StudyRow]:
    """Leave out rows of an earlier row's job: under a budget seeds share what none trained."""
    found: dict[str, StudyRow] = {}
    for row in rows:
        found.setdefault(row.key or f"{row.label} {row.base_digest}", row)
    return list(found.values())


def _seconds(session: Session, end: str | None, rows: Sequence[StudyRow]) -> float:
    if session.seconds is not None:
        return session.seconds
    started = datetime.fromisoformat(session.started_at)
    before = datetime.fromisoformat(end) if end else None
    times = [datetime.fromisoformat(row.finished_at) for row in rows]
    within = [x for x in times if x >= started and (before is None or x <= before)]
    return (max(within) - started).total_seconds() if within else 0.0
