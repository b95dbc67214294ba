"""The rivals in the chart: open marks, one series per rival, and the dense control's level."""

from collections.abc import Sequence
from html import escape
from typing import get_args

from mixmatch.config.run import RivalName
from mixmatch.records import RivalResult
from tasks.labels import DENSE
from tasks.report.axes import Axis
from tasks.report.marks import Json, Split, accuracy_of, error_bars, measured_lines
from tasks.report.texts import percent

# Each has its mark and colour in every report; filled marks belong to the family.
_PRUNING = tuple(name for name in get_args(RivalName) if name != DENSE)
_SYMBOLS = ("triangle-up", "triangle-down", "pentagon", "hexagram", "star", "cross", "x")
_SIZE = 9


def rival_series(rivals: Sequence[RivalResult], axis: Axis, split: Split) -> list[Json]:
    """Draw one series of open marks per rival, in the order of the run file's names."""
    return [
        _series(number, name, found, axis, split)
        for number, name in enumerate(_PRUNING)
        if (found := [x for x in rivals if x.rival == name])
    ]


def control_level(rivals: Sequence[RivalResult], split: Split) -> float | None:
    """Return the dense control's accuracy, the mean over seeds; None if there is no control."""
    levels = [accuracy_of(x.member, split).value for x in rivals if x.rival == DENSE]
    return sum(levels) / len(levels) if levels else None


def _series(
    number: int, name: str, rivals: Sequence[RivalResult], axis: Axis, split: Split
) -> Json:
    accuracies = [accuracy_of(rival.member, split) for rival in rivals]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [axis.place(rival.member) for rival in rivals],
        "y": [accuracy.value for accuracy in accuracies],
        "error_y": error_bars(accuracies),
        "marker": {"symbol": f"{_SYMBOLS[number]}-open", "size": _SIZE, "line": {"width": 1.5}},
        "hovertext": [_hover(rival) for rival in rivals],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "meta": {"part": "rival", "number": number},
    }


def _hover(rival: RivalResult) -> str:
    lines = (
        f"rival at {percent(rival.sparsity)}, seed {rival.seed}",
        *measured_lines(rival.member),
    )
    return f"<b>{escape(rival.rival)}</b><br>" + "<br>".join(map(escape, lines))
