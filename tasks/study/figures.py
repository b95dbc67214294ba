"""The figures of a study: accuracy against sparsity, and sparsity per layer and strategy."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes

from mixmatch.records import PlanRecord
from tasks.study.drawing import looks, new_figure, save_figure, series_looks
from tasks.study.layer_figure import layer_figure
from tasks.study.table_rows import StudyTables, SummaryRow

_PANEL_WIDTH, _HEIGHT = 6.2, 4.6  # inches
_LEGEND_COLUMNS = 3  # per panel
_FRONT_COLOR = "#000000"
_MARGIN = 0.08  # of the family's range of accuracies, around it in the second panel


def write_figures(folder: Path, tables: StudyTables, plan: PlanRecord | None) -> None:
    """Write ``accuracy`` and, where there is a plan, ``layers``, each as SVG and PNG.

    The same arguments give the same bytes.

    Args:
        folder: of the results.
        tables: of the study.
        plan: of the study.

    Raises:
        WorkspaceError: a file cannot be written.
    """
    with looks():
        _write_accuracy(folder, tables.summary)
        if plan is not None:
            save_figure(layer_figure(plan), folder, "layers")


def _write_accuracy(folder: Path, rows: Sequence[SummaryRow]) -> None:
    low, high = _range_of_family(rows)
    hides_the_family = min(row.test_mean for row in rows) < low
    num_panels = 2 if hides_the_family else 1
    figure = new_figure(_PANEL_WIDTH * num_panels, _HEIGHT)
    panels = [figure.add_subplot(1, num_panels, number + 1) for number in range(num_panels)]
    for axes in panels:
        _draw(axes, rows)
    if hides_the_family:
        panels[0].set_title("all")
        panels[1].set_title("the range of the family")
        panels[1].set_ylim(100 * low, 100 * high)
    panels[0].set_ylabel("test accuracy, %")
    handles, labels = panels[0].get_legend_handles_labels()
    ncols = _LEGEND_COLUMNS * num_panels
    figure.legend(handles, labels, loc="outside lower center", ncols=ncols)
    save_figure(figure, folder, "accuracy")


def _range_of_family(rows: Sequence[SummaryRow]) -> tuple[float, float]:
    """Return the range of family and base with a margin; a rival may lie far below it."""
    shown = [row for row in rows if row.kind != "rival"] or rows
    low, high = min(row.test_low for row in shown), max(row.test_high for row in rows)
    margin = _MARGIN * (high - low)
    return low - margin, high + margin


def _draw(axes: Axes, rows: Sequence[SummaryRow]) -> None:
    axes.set_xlabel("sparsity, %")
    for row in rows:
        if row.kind in {"base", "dense"}:
            _draw_level(axes, row)
    rivals = dict.fromkeys(row.name for row in rows if row.kind == "rival")
    criteria = dict.fromkeys(row.criterion for row in rows if row.kind == "family")
    for number, criterion in enumerate(criteria):
        of_one = [row for row in rows if row.kind == "family" and row.criterion == criterion]
        _draw_points(axes, of_one, f"family, {criterion}", number, line="none")
    for number, rival in enumerate(rivals, start=len(criteria)):
        of_one = [row for row in rows if row.kind == "rival" and row.name == rival]
        _draw_points(axes, of_one, rival, number, line=":")
    _draw_front(axes, [row for row in rows if row.on_front])


def _draw_level(axes: Axes, row: SummaryRow) -> None:
    is_base = row.kind == "base"
    color = "#444444" if is_base else "#888888"
    label = "base" if is_base else "dense control"
    axes.axhspan(100 * row.test_low, 100 * row.test_high, color=color, alpha=0.1, linewidth=0)
    style = "--" if is_base else "-."
    axes.axhline(100 * row.test_mean, color=color, linestyle=style, linewidth=1.0, label=label)


def _draw_points(
    axes: Axes, rows: Sequence[SummaryRow], label: str, number: int, *, line: str
) -> None:
    """Draw one series with its 95 % intervals."""
    below = [100 * (row.test_mean - row.test_low) for row in rows]
    above = [100 * (row.test_high - row.test_mean) for row in rows]
    axes.errorbar(
        [100 * row.sparsity for row in rows],
        [100 * row.test_mean for row in rows],
        yerr=[below, above],
        label=label,
        **series_looks(number, line),
    )


def _draw_front(axes: Axes, front: Sequence[SummaryRow]) -> None:
    """Join the points that validation chose; on test the line may fall and rise."""
    if not front:
        return
    ordered = sorted(front, key=lambda row: (row.sparsity, row.label))
    axes.plot(
        [100 * row.sparsity for row in ordered],
        [100 * row.test_mean for row in ordered],
        color=_FRONT_COLOR,
        linewidth=1.4,
        marker="o",
        markersize=10,
        markerfacecolor="none",
        label="family's front (by validation)",
        zorder=3,
    )
