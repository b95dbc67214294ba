"""The results folder of a study: created once, continued from what it holds, on any machine."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import ValidationError

from mixmatch.config import RunConfig
from mixmatch.errors import ConfigError, WorkspaceError
from mixmatch.records import PlanRecord, RivalsRecord
from tasks.line_file import LineFile
from tasks.study.documents import keep_document, parse_line, read_document, read_lines
from tasks.study.expected import expected_family, expected_rivals
from tasks.study.facts import Session, StudyFacts, StudyPlan, now
from tasks.study.files import write_once
from tasks.study.int8 import Int8Row, Quantize, wanted_int8
from tasks.study.machine import Machine
from tasks.study.row import BASE, StudyRow
from tasks.study.settings import first_difference, result_digest, result_settings
from tasks.workspace import make_writable

STUDY, SETTINGS, PLAN = "study.json", "settings.yaml", "plan.json"
ROWS, INT8, SESSIONS = "rows.jsonl", "int8.jsonl", "sessions.jsonl"
PAGE = "README.md"
TABLES = ("results.csv", "summary.csv", "comparisons.csv", "best.csv", "fronts.csv")
FIGURES = ("accuracy.svg", "accuracy.png", "layers.svg", "layers.png")
# What a study writes without asking, so that it must be its own.
_WRITTEN = {SETTINGS, PLAN, ROWS, INT8, SESSIONS, PAGE, *TABLES, *FIGURES}


@dataclass(frozen=True, slots=True)
class StudyFolder:
    """Rows, plan and sessions of one study; several processes may append at once.

    Attributes:
        path: the folder.
        facts: what the study is.
        quantize: whose int8 files are wanted; a study may be continued for them.
    """

    path: Path
    facts: StudyFacts
    quantize: Quantize

    @classmethod
    def open(cls, path: Path, config: RunConfig) -> "StudyFolder":
        """Create the folder, or continue one whose study has the same settings.

        Where results are kept and registered, and under what name, may differ. What else must be
        the same is checked where it is known, by ``continuing``.

        Raises:
            ConfigError: the folder holds a study with other settings, or none and files that a
                study would replace.
            WorkspaceError: it cannot be read or written, or another version wrote it.
        """
        try:
            make_writable(path)
        except OSError as error:
            raise WorkspaceError(
                f"--results must be a folder that can be written, got {path} ({error.strerror})."
            ) from error
        if not (path / STUDY).exists():
            _create(path, config)
        facts = read_document(path / STUDY, StudyFacts)
        _check_same_study(path, facts, config)
        # Whoever created the study may have been killed before this.
        write_once(path / SETTINGS, _run_file(facts, config.quantize))
        return cls(path, facts, config.quantize)

    @classmethod
    def read(cls, path: Path) -> "StudyFolder":
        """Return the study that a folder holds, to be read only.

        Raises:
            ConfigError: it holds none.
            WorkspaceError: it cannot be read, or another version wrote it.
        """
        if not (path / STUDY).is_file():
            raise ConfigError(f"A results folder must hold a study ({STUDY}), got {path}.")
        return cls(path, read_document(path / STUDY, StudyFacts), "none")

    @property
    def config(self) -> RunConfig:
        """The settings that decide results, as a run file."""
        return RunConfig.model_validate(self.facts.settings)

    def append(self, row: StudyRow) -> bool:
        """Add a result, on disk before this returns; say whether it is new.

        A label that is there already stays as it is, and the new row is dropped; of the base each
        distinct network has a row.

        Raises:
            WorkspaceError: the file cannot be written, or one of its lines is no row.
        """
        place, identity = self.path / ROWS, _identity(row)
        return LineFile(place).append(
            row.model_dump_json(),
            unless=lambda lines: any(
                _identity(parse_line(place, line, number, StudyRow)) == identity
                for number, line in enumerate(lines, start=1)
            ),
        )

    def rows(self) -> tuple[StudyRow, ...]:
        """Return the results in the order in which they were appended; of equal labels the first.

        Raises:
            WorkspaceError: the file cannot be read, or one of its lines is no row.
        """
        rows: dict[tuple[str, str], StudyRow] = {}
        for row in read_lines(self.path / ROWS, StudyRow):
            rows.setdefault(_identity(row), row)
        return tuple(rows.values())

    def labels(self) -> frozenset[str]:
        """Return the labels of all results: what need not be computed again."""
        return frozenset(row.label for row in self.rows())

    def append_int8(self, row: Int8Row) -> None:
        """Add an int8 file's figures, on disk before this returns; a label stays as it is.

        Raises:
            WorkspaceError: the file cannot be written, or one of its lines is no such row.
        """
        place = self.path / INT8
        LineFile(place).append(
            row.model_dump_json(),
            unless=lambda lines: any(
                parse_line(place, line, number, Int8Row).label == row.label
                for number, line in enumerate(lines, start=1)
            ),
        )

    def int8(self) -> dict[str, Int8Row]:
        """Return what is known of int8 files, by label of the result.

        Raises:
            WorkspaceError: the file cannot be read, or one of its lines is no such row.
        """
        return {row.label: row for row in reversed(read_lines(self.path / INT8, Int8Row))}

    def missing_int8(self) -> frozenset[str]:
        """Return the labels of the results whose int8 files are wanted and not there."""
        return wanted_int8(self.rows(), self.quantize) - self.int8().keys()

    def is_complete(self) -> bool:
        """Say whether every result that the study asks for is there, int8 files too.

        Raises:
            WorkspaceError: a file cannot be read.
        """
        config, kept = self.config, self.plan()
        labels = self.labels()
        if kept is None or not {BASE, *expected_rivals(config, kept)} <= labels:
            return False
        if self.missing_int8():
            return False
        return expected_family(config, kept) <= labels

    def save_plan(self, plan: PlanRecord, rivals: RivalsRecord | None) -> StudyPlan:
        """Keep what is pruned; return what the study keeps: the plan that was there first.

        Raises:
            WorkspaceError: the file cannot be written or read.
        """
        keep_document(self.path / PLAN, StudyPlan(plan=plan, rivals=rivals))
        return read_document(self.path / PLAN, StudyPlan)

    def plan(self) -> StudyPlan | None:
        """Return what is pruned; None before it is known.

        Raises:
            WorkspaceError: the file cannot be read.
        """
        place = self.path / PLAN
        return read_document(place, StudyPlan) if place.exists() else None

    @contextmanager
    def session(self, machine: Machine) -> Iterator[None]:
        """Note when work on the study begins and, however the body ends, when it does."""
        lines, session = LineFile(self.path / SESSIONS), Session.begin(machine)
        started = time.monotonic()
        lines.append(session.model_dump_json())
        succeeded = False
        try:
            yield
            succeeded = True
        finally:
            ended = session.end(time.monotonic() - started, succeeded=succeeded)
            lines.append(ended.model_dump_json())

    def sessions(self) -> tuple[Session, ...]:
        """Return all stretches of work, in the order in which they began.

        Raises:
            WorkspaceError: the file cannot be read, or one of its lines is no session.
        """
        found = read_lines(self.path / SESSIONS, Session)
        return tuple({session.id: session for session in found}.values())


def _identity(row: StudyRow) -> tuple[str, str]:
    """Return what no two rows share; several bases may stand beside each other."""
    return row.label, row.base_digest if row.kind == "base" else ""


def _create(path: Path, config: RunConfig) -> None:
    found = sorted(place.name for place in path.iterdir() if place.name in _WRITTEN)
    # Looked at again: another process may have created the study and its files meanwhile.
    if found and not (path / STUDY).exists():
        raise ConfigError(
            f"--results must name a folder of a study ({STUDY}), or one without files that a "
            f"study writes, got {path} with {found[0]}."
        )
    settings, machine = result_settings(config), Machine.here()
    facts = StudyFacts(
        name=config.run_name,
        settings=settings,
        digest=result_digest(settings),
        hardware=machine.hardware,
        versions=machine.versions,
        created_at=now(),
    )
    keep_document(path / STUDY, facts)


def _run_file(facts: StudyFacts, quantize: Quantize) -> str:
    settings = {"name": facts.name, **facts.settings, "quantize": quantize}
    return str(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True))


def _check_same_study(path: Path, facts: StudyFacts, config: RunConfig) -> None:
    # Parsed anew, so that a setting that a later version adds has its default there too.
    try:
        kept = result_settings(RunConfig.model_validate(facts.settings))
    except ValidationError as error:
        raise WorkspaceError(
            f"{path / STUDY} must hold settings that this version knows; another version wrote it "
            f"({error.errors()[0]['msg']})."
        ) from error
    if different := first_difference(kept, result_settings(config)):
        raise ConfigError(
            f"--results must name a new folder or a study with the same settings, but in {path} "
            f"{different.setting} is {different.first}, and here it is {different.second}."
        )
