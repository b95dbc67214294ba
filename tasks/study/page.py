"""The page of a results folder: README.md, in plain words, from rows alone."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import jinja2
import yaml

from mixmatch.config import RunConfig
from tasks.study.claims import SURE, claims
from tasks.study.effort import efforts, stretches
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
from tasks.study.row import StudyRow
from tasks.study.table_rows import StudyTables
from tasks.study.tables import NUM_RESAMPLES, SAME_SPARSITY

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
        notes=list(_notes(rows, tables, failed)),
        tables=tables,
        summary_table=summary_table(tables.summary),
        comparison_table=comparison_table(tables.comparisons),
        front_table=front_table(tables.fronts),
        session_table=session_table(worked),
        effort_table=effort_table(efforts(rows)),
        claims=claims(tables.comparisons),
        wall_hours=sum(x.seconds for x in worked) / 3600,
        cpu_hours=sum(row.cpu_seconds or 0.0 for row in rows) / 3600,
        settings=_changed_settings(config),
        sure=SURE,
        num_resamples=NUM_RESAMPLES,
        same_sparsity=SAME_SPARSITY,
        reference_sparsity=REFERENCE_SPARSITY,
        reference_loss=REFERENCE_LOSS,
        hardware=sorted({row.hardware for row in rows} or {facts.hardware}),
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


def _changed_settings(config: RunConfig) -> str:
    """Return the settings that decide results and differ from their defaults, as YAML."""
    changed = config.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return yaml.safe_dump(changed, sort_keys=False, allow_unicode=True).strip()


def _notes(rows: Sequence[StudyRow], tables: StudyTables, failed: Sequence[str]) -> Iterator[str]:
    """Say what a reader must know before believing a number."""
    if failed:
        yield f"{len(failed)} results failed and are missing: {', '.join(failed)}."
    num_bases = len({row.base_digest for row in rows})
    if num_bases > 1:
        yield (
            f"The results come from {num_bases} different base networks, as when the base was "
            "trained again on another machine; drops are against each result's own base, and "
            "comparisons across bases (num_bases in the CSV files) mix two causes."
        )
    if (num_data := len({row.data_digest for row in rows})) > 1:
        yield f"The results were measured on {num_data} different data files: do not compare them."
    numbers = {x.num_results for x in tables.summary if x.kind in {"family", "rival"}}
    if numbers == {1}:
        yield "One seed: intervals show the chance in the test images only, not that in training."
    elif len(numbers) > 1:
        low, high = min(numbers), max(numbers)
        yield f"Not all configurations have equally many seeds yet: from {low} to {high}."
    kinds = {row.kind for row in rows}
    if "base" not in kinds:
        yield "The base has no result yet, so no drop and no front can be stated."
    if "dense" not in kinds:
        yield (
            "There is no dense control (compare: [dense]): drops are against the base as it came, "
            "and fine-tuning alone may have repaired what pruning lost."
        )
