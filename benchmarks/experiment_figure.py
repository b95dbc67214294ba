"""One picture of the experiment: what every network lost, at which sparsity, beside the paper."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from tasks.study.drawing import looks, new_figure, save_figure, series_looks
from tasks.study.table_rows import SummaryRow

_PANEL = (4.6, 3.3)  # inches
_LEGEND = 0.8
_COLUMNS = 2
# Points of accuracy. Rivals that fall out below would make all else a line.
_LOWEST, _HIGHEST = -2.5, 0.6
_RIVALS = ("PROD", "SNIP", "LAMP", "MAG", "uniform")


def draw_networks(
    series: Mapping[str, Mapping[str, Sequence[SummaryRow]]],
    published: Mapping[str, tuple[float, float]],
    folder: Path,
) -> None:
    """Write ``networks.svg`` and ``networks.png``, a panel for each network.

    Args:
        series: network: what a family is called: rows of its study, rivals included; the first
            family has the paper's own ranges.
        published: network: sparsity and drop of the paper's best row, fractions.
        folder: where to.

    Raises:
        WorkspaceError: a file cannot be written.
    """
    lines = -(-len(series) // _COLUMNS)
    with looks():
        figure = new_figure(_PANEL[0] * _COLUMNS, _PANEL[1] * lines + _LEGEND)
        known: dict[str, Any] = {}
        for number, (network, families) in enumerate(series.items()):
            axes = figure.add_subplot(lines, _COLUMNS, number + 1)
            axes.set_title(network)
            axes.set_xlabel("sparsity, %")
            axes.set_ylim(_LOWEST, _HIGHEST)
            axes.axhline(0.0, color="#444444", linestyle="--", linewidth=1.0)
            for place, (name, rows) in enumerate(families.items()):
                members = [row for row in rows if row.kind == "family"]
                _draw(axes, members, name, 0 if place == 0 else len(_RIVALS) + 1, line="none")
            _draw_rivals(axes, [row for rows in families.values() for row in rows])
            sparsity, drop = published[network]
            axes.scatter(
                [100 * sparsity],
                [-100 * drop],
                s=150,
                marker="*",
                facecolors="white",
                edgecolors="black",
                label="the paper's best row, other data",
            )
            handles, labels = axes.get_legend_handles_labels()
            known |= dict(zip(labels, handles, strict=True))
        figure.supylabel("points against base or dense control")
        figure.legend(known.values(), known.keys(), loc="outside lower center", ncols=4)
        save_figure(figure, folder, "networks")


def _draw_rivals(axes: Axes, rows: Sequence[SummaryRow]) -> None:
    for number, rival in enumerate(_RIVALS, start=1):
        # Two studies of one network may share a rival: the same file, so the same point.
        of_one = {row.sparsity: row for row in rows if row.kind == "rival" and row.name == rival}
        if of_one:
            _draw(axes, [of_one[x] for x in sorted(of_one)], rival, number, line=":")


def _draw(axes: Axes, rows: Sequence[SummaryRow], label: str, number: int, *, line: str) -> None:
    """Draw one series with the 95 % intervals of its drops."""
    measured = [
        (row.sparsity, row.drop, row.drop_low, row.drop_high)
        for row in rows
        if row.drop is not None and row.drop_low is not None and row.drop_high is not None
    ]
    axes.errorbar(
        [100 * sparsity for sparsity, _, _, _ in measured],
        [-100 * drop for _, drop, _, _ in measured],
        yerr=[
            [100 * (high - drop) for _, drop, _, high in measured],
            [100 * (drop - low) for _, drop, low, _ in measured],
        ],
        label=label,
        **series_looks(number, line),
    )
