"""The page of a results folder: README.md, in plain words, from rows alone."""

from collections.abc import Sequence
from pathlib import Path

import jinja2
import yaml

from mixmatch.config import RunConfig
from tasks.study.claims import SURE, claims
from tasks.study.effort import distinct_jobs, efforts, stretches
from tasks.study.facts import Session, StudyFacts
from tasks.study.files import write_text
from tasks.study.fronts import REFERENCE_LOSS, REFERENCE_SPARSITY
from tasks.study.markdown import (
    comparison_table,
    effort_table,
    front_table,
    session_table,
    summary_table,
)
from tasks.study.notes import CHANCE, reading_notes
from tasks.study.row import StudyRow
from tasks.study.table_rows import StudyTables
from tasks.study.tables import NUM_RESAMPLES, SAME_SPARSITY
from tasks.study.training import epochs_text, is_equal

_NAME = "README.md"


def write_page(
    folder: Path,
    facts: StudyFacts,
    rows: Sequence[StudyRow],
    tables: StudyTables,
    *,
    has_plan: bool,
    sessions: Sequence[Session] = (),
    failed: Sequence[str] = (),
) -> None:
    """Write the page; it names no path of the machine, and no reason of a failure, which may.

    Args:
        folder: of the results.
        facts: what the study is.
        rows: its results.
        tables: made from them.
        has_plan: whether the figure of the layers was drawn.
        sessions: who worked on it and when.
        failed: labels of results that failed.

    Raises:
        WorkspaceError: the page cannot be written.
    """
    config = RunConfig.model_validate(facts.settings)
    worked = stretches(sessions, rows)
    page = _template().render(
        facts=facts,
        config=config,
        num_rows=len(rows),
        has_plan=has_plan,
        epochs=epochs_text(config.fine_tune),
        is_equal=is_equal(config.fine_tune),
        notes=reading_notes(config, rows, tables, failed),
        chance=CHANCE,
        tables=tables,
        has_int8=any(row.int8_bytes is not None for row in tables.summary),
        summary_table=summary_table(tables.summary),
        comparison_table=comparison_table(tables.comparisons),
        best_table=comparison_table(tables.best),
        front_table=front_table(tables.fronts),
        session_table=session_table(worked),
        effort_table=effort_table(efforts(rows)),
        claims=claims(tables.comparisons),
        wall_hours=sum(x.seconds for x in worked) / 3600,
        cpu_hours=sum(row.cpu_seconds or 0.0 for row in distinct_jobs(rows)) / 3600,
        settings=_changed_settings(config),
        sure=SURE,
        num_resamples=NUM_RESAMPLES,
        same_sparsity=SAME_SPARSITY,
        reference_sparsity=REFERENCE_SPARSITY,
        reference_loss=REFERENCE_LOSS,
        hardware=sorted({row.hardware for row in rows} or {facts.hardware}),
        engine=_engine(rows),
    )
    write_text(folder / _NAME, page)


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=False,  # Markdown, not HTML
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("page.md.j2")


def _engine(rows: Sequence[StudyRow]) -> tuple[str, ...]:
    """Return what the engine's settings came to, as options of a command."""
    executions = [row.execution for row in rows if row.execution is not None]
    if not executions:
        return ()
    first = executions[0]  # a study takes no rows with other ones
    values = {"device": first.device, "precision": first.precision}
    if first.threads:
        values["threads_per_job"] = str(first.threads)
    if first.compiled:
        values["compile"] = "true"
    return tuple(f"--set engine.{name}={value}" for name, value in values.items())


def _changed_settings(config: RunConfig) -> str:
    """Return the settings that decide results and differ from their defaults, as YAML."""
    changed = config.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return yaml.safe_dump(changed, sort_keys=False, allow_unicode=True).strip()
