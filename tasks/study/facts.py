"""What a results folder holds besides rows: its settings, its plan, who worked on it and when."""

from datetime import UTC, datetime
from typing import Self
from uuid import uuid4

from mixmatch.records import PlanRecord, Record, RivalsRecord
from tasks.study.machine import Machine


def now() -> str:
    """Return the time as text: UTC, ISO 8601, whole seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class StudyFacts(Record):
    """What a study is; written once, when its folder is created.

    Attributes:
        name: of the run.
        settings: every setting that decides results, as ``result_settings`` gives them.
        digest: SHA-256 of them.
        hardware: where the study began.
        versions: with which it began.
        created_at: UTC, ISO 8601.
    """

    name: str
    settings: dict[str, object]
    digest: str
    hardware: str
    versions: dict[str, str]
    created_at: str


class StudyPlan(Record):
    """What is pruned in a study, wherever it is continued.

    Attributes:
        plan: the family's strategies.
        rivals: what the rivals prune; None: there are none, or only ``dense``.
    """

    plan: PlanRecord
    rivals: RivalsRecord | None = None


class Session(Record):
    """One stretch of work on a study; a killed one has no end.

    Attributes:
        id: of the session; its beginning and its end are two lines.
        started_at: UTC, ISO 8601.
        ended_at: likewise; None while it works, and for ever if it was killed.
        seconds: wall time; None likewise.
        succeeded: whether it ended without an error; None likewise.
        hardware: where.
        versions: with which.
    """

    id: str
    started_at: str
    ended_at: str | None
    seconds: float | None
    succeeded: bool | None
    hardware: str
    versions: dict[str, str]

    @classmethod
    def begin(cls, machine: Machine) -> Self:
        """Return a session that begins now."""
        return cls(
            id=uuid4().hex,
            started_at=now(),
            ended_at=None,
            seconds=None,
            succeeded=None,
            hardware=machine.hardware,
            versions=machine.versions,
        )

    def end(self, seconds: float, *, succeeded: bool) -> Self:
        """Return the same session, ended now after ``seconds`` of wall time."""
        update = {"ended_at": now(), "seconds": seconds, "succeeded": succeeded}
        return self.model_copy(update=update)
