"""The family as a table, and where everything is."""

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flows.cli.facts_table import print_base, print_facts
from flows.cli.latency_table import print_latency
from flows.cli.output import megabytes, percent
from tasks.compare import better_unpruned, claim_sentence
from tasks.labels import DENSE
from tasks.workspace import DEFAULT_NAME, HOME_VARIABLE

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from tasks.compare import RivalRow
    from tasks.summary import ResultRow, RunSummary

_SPARSE_MARK = "*"
_SMALL_MARK = "+"
_Headings = tuple[tuple[str, str], ...]
_MEASURED: _Headings = (
    ("sparsity %", "right"),
    ("valid. %", "right"),
    ("test % (95 %)", "right"),
    ("drop, pts", "right"),
    ("MB", "right"),
)
_HEADINGS: _Headings = (
    ("", "left"),
    ("strategy", "left"),
    ("criterion", "left"),
    ("seed", "right"),
    *_MEASURED,
)
_INT8: _Headings = (("int8 MB", "right"), ("loss, pts", "right"))
_VERSION: _Headings = (("ver.", "right"),)
_RIVAL_HEADINGS: _Headings = (
    ("rival", "left"),
    ("asked %", "right"),
    ("seed", "right"),
    *_MEASURED,
)


def print_family(console: "Console", summary: "RunSummary", registered_name: str) -> None:
    """Print base, members with the fronts marked, rivals, latencies, failures, where to look."""
    print_base(console, summary.base)
    console.print(_family_table(summary.results))
    for mark, other, rows in (
        (_SPARSE_MARK, "sparsity", [x for x in summary.results if x.on_front]),
        (_SMALL_MARK, "size on disk", [x for x in summary.results if x.on_size_front]),
    ):
        front = f"{len(rows)} of {len(summary.results)} results"
        console.print(f"{mark} on the Pareto front of validation accuracy and {other}: {front}")
    _print_rivals(console, summary)
    if summary.latency is not None:
        console.print()
        print_latency(console, summary.latency)
    for warning in summary.warnings:
        console.print(f"Note: {warning}", soft_wrap=True)
    for label, reason in summary.failed.items():
        console.print(f"FAILED: {label}: {reason}", style="bold red", soft_wrap=True)
    console.print()
    print_facts(console, _places(summary, registered_name))


def _family_table(rows: "Sequence[ResultRow]") -> "Table":
    """Return the family as a table; without any int8 file it has no columns for them."""
    has_int8 = any(row.int8 for row in rows)
    headings = (*_HEADINGS, *(_INT8 if has_int8 else ()), *_VERSION)
    # Headings on two lines: on one line the table would not fit 120 columns.
    table = _table([(text.replace(" ", "\n", 1), side) for text, side in headings])
    for row in rows:
        cells = (*_cells(row), *(_int8_cells(row) if has_int8 else ()), _version(row))
        table.add_row(*cells, style="bold" if row.on_front or row.on_size_front else None)
    return table


def _print_rivals(console: "Console", summary: "RunSummary") -> None:
    """Print the rivals, if there are any, and with a dense control what drops in claims mean."""
    if not summary.compare:
        return
    table = _table(_RIVAL_HEADINGS)
    for row in summary.compare:
        table.add_row(*_rival_cells(row))
    console.print()
    console.print(table)
    if better := better_unpruned(summary.base, summary.compare):
        console.print(claim_sentence(better), soft_wrap=True)


def _table(headings: Sequence[tuple[str, str]]) -> "Table":
    from rich import box  # noqa: PLC0415  slow to load, and help does without
    from rich.table import Table  # noqa: PLC0415  likewise

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for heading, side in headings:
        table.add_column(heading, justify="right" if side == "right" else "left", no_wrap=True)
    return table


def _cells(row: "ResultRow") -> tuple[str, ...]:
    return (
        _marks(row),
        "\n".join((row.strategy, *(f"= {name}" for name in row.also))),
        row.criterion,
        str(row.seed),
        *_measured_cells(row),
    )


def _marks(row: "ResultRow") -> str:
    sparse = _SPARSE_MARK if row.on_front else " "
    return (sparse + (_SMALL_MARK if row.on_size_front else "")).rstrip()


def _int8_cells(row: "ResultRow") -> tuple[str, str]:
    if row.int8 is None:
        return "-", "-"
    return megabytes(row.int8.bytes), percent(row.int8.accuracy_loss)


def _version(row: "ResultRow") -> str:
    return "-" if row.model_version is None else str(row.model_version)


def _rival_cells(row: "RivalRow") -> tuple[str, ...]:
    asked = "-" if row.rival == DENSE else percent(row.sparsity_asked)
    return (row.rival, asked, str(row.seed), *_measured_cells(row))


def _measured_cells(row: "ResultRow | RivalRow") -> tuple[str, ...]:
    low, high = row.accuracy_interval
    return (
        percent(row.sparsity),
        percent(row.validation_accuracy),
        f"{percent(row.accuracy)} ({percent(low, 1)}-{percent(high, 1)})",
        percent(row.accuracy_drop),
        megabytes(row.bytes),
    )


def _places(summary: "RunSummary", registered_name: str) -> dict[str, str]:
    steps = summary.cache.hits + summary.cache.misses
    # Stages of the same second are the same to a reader.
    times = ", ".join(f"{k} {v:.1f} s" for k, v in summary.seconds.items() if k != "total")
    total = summary.seconds.get("total", sum(summary.seconds.values()))
    is_registered = any(row.model_version is not None for row in summary.results)
    workspace = _workspace_option(summary.workspace)
    show = {"Model": f"mixmatch show {registered_name}@most-accurate{workspace}"}
    return {
        "Report": summary.report,
        "Workspace": summary.workspace,
        "MLflow run": summary.run_id,
        **(show if is_registered else {}),
        "Pages": f"mixmatch ui{workspace}",
        "Cache": f"{summary.cache.hits} of {steps} steps were there already{_unstarted(summary)}",
        "Time": f"{total:.1f} s" + (f" ({times})" if times else ""),
    }


def _unstarted(summary: "RunSummary") -> str:
    return "; nothing was computed or started" if summary.from_store else ""


def _workspace_option(workspace: str) -> str:
    """Return what a command must add to look into ``workspace`` from here."""
    usual = Path(os.environ.get(HOME_VARIABLE) or DEFAULT_NAME).expanduser().resolve()
    return "" if Path(workspace) == usual else f" --workspace {shlex.quote(workspace)}"
