"""A study as tables: every configuration over its seeds, and the family against its rivals."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flows.cli.facts_table import print_facts
from flows.cli.output import megabytes, percent

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from tasks.study.summary import StudySummary
    from tasks.study.table_rows import ComparisonRow, SummaryRow

_STAR = "*"
_ACROSS = "!"
_SUMMARY = (
    "",
    "configuration",
    "seeds",
    "sparsity %",
    "valid. %",
    "test % (95 %)",
    "dev.",
    "drop, pts",
    "MB",
    "share",
)
_COMPARISON = (
    "family",
    "rival",
    "test %",
    "rival's %",
    "difference, pts (95 %)",
    "probability",
)


def print_study(console: "Console", summary: "StudySummary") -> None:
    """Print the configurations with the family's front marked, the comparisons, and the folder."""
    tables = summary.tables
    table = new_table(_SUMMARY, num_left=2)
    for row in tables.summary:
        table.add_row(*_summary_cells(row), style="bold" if row.on_front else None)
    console.print(table)
    console.print(
        f"{_STAR} on the family's Pareto front of validation accuracy and sparsity; share: how "
        "often, when the validation images are drawn again; dev.: deviation between seeds. Drops "
        "are against the better of base and dense control on validation, which stands beside "
        "them; - where a control that was asked for is missing.",
        soft_wrap=True,
    )
    _print_comparisons(console, tables.comparisons)
    for label, reason in summary.failed.items():
        console.print(f"FAILED: {label}: {reason}", style="bold red", soft_wrap=True)
    console.print()
    results = f"{summary.num_rows}, {summary.num_new} of them new"
    print_facts(console, {"Results": results, "Folder": summary.folder, "Page": _page(summary)})


def new_table(headings: "Sequence[str]", *, num_left: int) -> "Table":
    """Return an empty table whose first ``num_left`` columns hold text, the others figures."""
    from rich import box  # noqa: PLC0415  slow to load, and help does without
    from rich.table import Table  # noqa: PLC0415  likewise

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for column, heading in enumerate(headings):
        is_left = column < num_left
        table.add_column(heading, justify="left" if is_left else "right", no_wrap=True)
    return table


def _print_comparisons(console: "Console", rows: "Sequence[ComparisonRow]") -> None:
    if not rows:
        console.print("No rival was compared at a sparsity of the family.")
        return
    table = new_table(_COMPARISON, num_left=2)
    for row in rows:
        low, high = percent(row.low), percent(row.high)
        table.add_row(
            row.label,
            row.rival_label,
            percent(row.test),
            percent(row.rival_test),
            f"{100 * row.difference:+.2f} ({low} to {high})",
            f"{row.probability:.3f}{_ACROSS if row.num_bases > 1 else ''}",
        )
    console.print()
    console.print(table)
    console.print(
        "probability: share of bootstrap resamples of the test images in which the family is more "
        "accurate, at equal sparsity.",
        soft_wrap=True,
    )
    if num_across := sum(row.num_bases > 1 for row in rows):
        console.print(
            f"{_ACROSS} between different base networks, which mixes two causes: {num_across} of "
            f"{len(rows)} comparisons, which count as no claim.",
            soft_wrap=True,
        )


def _summary_cells(row: "SummaryRow") -> tuple[str, ...]:
    low, high = percent(row.test_low, 1), percent(row.test_high, 1)
    return (
        _STAR if row.on_front else "",
        "\n".join((row.label, *(f"= {name}" for name in row.also))),
        str(row.num_results),
        percent(row.sparsity),
        percent(row.validation_mean),
        f"{percent(row.test_mean)} ({low}-{high})",
        "-" if row.test_deviation is None else percent(row.test_deviation),
        _drop(row),
        megabytes(round(row.bytes)),
        "" if row.front_share is None else f"{row.front_share:.2f}",
    )


def _drop(row: "SummaryRow") -> str:
    """Show the drop with what it is against; several bases may differ in that."""
    if row.drop is None:
        return "-"
    return f"{percent(row.drop)} {row.reference or 'several':>5}"


def _page(summary: "StudySummary") -> str:
    return f"{summary.folder}/README.md"
