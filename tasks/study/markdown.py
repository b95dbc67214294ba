"""Tables of the page in Markdown: percents, points and megabytes exist only here."""

from collections.abc import Sequence

from tasks.report.texts import points
from tasks.study.claims import bears_claim, verdict
from tasks.study.effort import Effort, Stretch
from tasks.study.table_rows import ComparisonRow, FrontRow, SummaryRow

_SUMMARY = (
    "",
    "configuration",
    "seeds",
    "sparsity %",
    "validation %",
    "test % (95 %)",
    "deviation",
    "drop, points (95 %)",
    "against",
    "MB",
    "int8 test %",
    "int8 MB",
    "front share",
)
_COMPARISON = (
    "family",
    "sparsity %",
    "rival",
    "test %",
    "rival's test %",
    "difference, points (95 %)",
    "probability",
    "more accurate",
)
_FRONT = ("front", "configurations", "on it", "on validation", "on test (95 %)")


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of texts."""
    lines = [headings, ["---"] * len(headings), *rows]
    # A star alone would begin emphasis, and a bar end the cell.
    cells = [[text.replace("*", r"\*").replace("|", r"\|") for text in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def summary_table(rows: Sequence[SummaryRow]) -> str:
    """Return base, control, family and rivals; ``*`` marks the front, ``+`` that over sizes."""
    return table(_SUMMARY, [_summary_cells(row) for row in rows])


def comparison_table(rows: Sequence[ComparisonRow]) -> str:
    """Return every comparison with its probability and what it decides; across bases nothing."""
    cells = [
        (
            row.label,
            _percent(row.sparsity),
            row.rival_label,
            _percent(row.test),
            _percent(row.rival_test),
            f"{points(row.difference)} ({points(row.low)} to {points(row.high)})",
            f"{row.probability:.3f}",
            _verdict(row),
        )
        for row in rows
    ]
    return table(_COMPARISON, cells)


def front_table(rows: Sequence[FrontRow]) -> str:
    """Return every front's hypervolume."""
    cells = [
        (
            row.name,
            str(row.num_points),
            str(row.num_on_front),
            f"{row.hypervolume_validation:.5f}",
            f"{row.area_test:.5f} ({row.area_low:.5f} to {row.area_high:.5f})",
        )
        for row in rows
    ]
    return table(_FRONT, cells)


def session_table(rows: Sequence[Stretch]) -> str:
    """Return every stretch of work with its machine."""
    cells = [
        (
            row.session.started_at,
            f"{row.seconds:.0f}" if row.was_ended else f"at least {row.seconds:.0f}",
            row.session.hardware,
            ", ".join(f"{name} {version}" for name, version in row.session.versions.items()),
        )
        for row in rows
    ]
    return table(("started (UTC)", "wall time, s", "hardware", "versions"), cells)


def effort_table(rows: Sequence[Effort]) -> str:
    """Return what the results of each kind took."""
    cells = [(row.kind, str(row.num_results), f"{row.seconds:.0f}", _cpu(row)) for row in rows]
    return table(("results", "number", "wall time of the jobs, s", "processor time, s"), cells)


def drop_text(row: SummaryRow) -> str:
    """Return the drop in points, with its interval where it has one."""
    if row.drop is None:
        return "-"
    if row.drop_low is None or row.drop_high is None:
        return points(row.drop)
    return f"{points(row.drop)} ({points(row.drop_low)} to {points(row.drop_high)})"


def _summary_cells(row: SummaryRow) -> tuple[str, ...]:
    low, high = f"{100 * row.test_low:.1f}", f"{100 * row.test_high:.1f}"
    also = f" (also {', '.join(row.also)})" if row.also else ""
    return (
        "*" * bool(row.on_front) + "+" * bool(row.on_size_front),
        f"{row.label}{also}",
        str(row.num_results),
        _percent(row.sparsity),
        _percent(row.validation_mean),
        f"{_percent(row.test_mean)} ({low} to {high})",
        "-" if row.test_deviation is None else _percent(row.test_deviation),
        drop_text(row),
        _reference(row),
        f"{row.bytes / 1e6:.2f}",
        "" if row.int8_test_mean is None else _percent(row.int8_test_mean),
        "" if row.int8_bytes is None else f"{row.int8_bytes / 1e6:.2f}",
        "" if row.front_share is None else f"{row.front_share:.2f}",
    )


def _verdict(row: ComparisonRow) -> str:
    if bears_claim(row):
        return verdict(row.probability)
    return f"not counted ({row.num_bases} bases)"


def _reference(row: SummaryRow) -> str:
    if row.drop is None:
        return "-"
    return row.reference or "several"


def _cpu(row: Effort) -> str:
    if not row.num_measured:
        return "not measured"
    part = "" if row.num_measured == row.num_results else f" (of {row.num_measured})"
    return f"{row.cpu_seconds:.0f}{part}"


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.2f}"
