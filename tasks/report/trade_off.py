"""Accuracy against sparsity or file size, as a Plotly figure in plain JSON.

It carries data, labels and marks; ``meta`` says which part a trace plays, and the page's script
gives each part its colour, because colours follow the reader's light or dark theme.
"""

from collections.abc import Mapping, Sequence
from html import escape

from mixmatch.records import Accuracy, FamilyRecord, Result
from tasks.report.axes import SIZE, Axis
from tasks.report.marks import SYMBOLS, Json, Split, accuracy_of, error_bars, measured_lines
from tasks.report.quantized import quantized_series
from tasks.report.rivals import control_level, rival_series
from tasks.report.texts import percent

_SIZE, _FRONT_SIZE = 8, 13
_HEIGHTS_BELOW = 2  # how far below the family a rival is still in the picture


def trade_off(
    family: FamilyRecord, axis: Axis, split: Split, references: Mapping[str, float]
) -> Json:
    """Draw accuracy over ``axis``: the front as a line, a series per criterion and per rival.

    Over the size, int8 files are marks of their own, each joined to its float32 sibling.

    Args:
        family: the product of a run.
        axis: the horizontal one. The vertical one is a fraction.
        split: whose accuracy. The front is always the one that validation decided.
        references: further horizontal lines, accuracy by label, fractions. One that lies far from
            the family is outside the picture, which shows the family in full height.
    """
    results = family.results
    series = [
        _series(number, name, [x for x in results if x.criterion == name], axis, split)
        for number, name in enumerate(dict.fromkeys(result.criterion for result in results))
    ]
    quantized = quantized_series(results, split) if axis is SIZE else []
    rivals = rival_series(family.rivals, axis, split)
    lines = _levels(family, split, references)
    layout = {
        "xaxis": dict(axis.layout),
        "yaxis": {
            "title": {"text": f"{split} accuracy"},
            "tickformat": ".1%",
            "range": _span(family, axis, split),
        },
        "shapes": [
            _band(accuracy_of(family.base, split)),
            *(_line(n, axis, *line) for n, line in enumerate(lines.items())),
        ],
    }
    return {"data": [_front(results, axis, split), *series, *quantized, *rivals], "layout": layout}


def front_points(results: Sequence[Result], axis: Axis, split: Split) -> list[tuple[float, float]]:
    """Return (place, accuracy) of each point on the axis's front, from left to right.

    Seeds of one strategy and criterion are one point, at their mean, as for the front itself.
    """
    seeds: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        if axis.is_on_front(result):
            seeds.setdefault((result.strategy, result.criterion), []).append(result)
    means = (
        (
            sum(axis.place(x.member) for x in point) / len(point),
            sum(accuracy_of(x.member, split).value for x in point) / len(point),
        )
        for point in seeds.values()
    )
    return sorted(means, key=lambda point: (point[0], -point[1]))


def _levels(
    family: FamilyRecord, split: Split, references: Mapping[str, float]
) -> dict[str, float]:
    """Return the horizontal lines by label: base, dense control, references."""
    levels = {"base": accuracy_of(family.base, split).value}
    if (control := control_level(family.rivals, split)) is not None:
        levels["dense control"] = control
    levels |= references
    return {f"{escape(name)} {percent(value)}": value for name, value in levels.items()}


def _span(family: FamilyRecord, axis: Axis, split: Split) -> list[float]:
    """Return the ends of the accuracy axis: all intervals of the family, and a margin.

    Rivals are in it too, down to two heights of the family below it: what collapsed further would
    leave nothing to see of the rest.
    """
    found = [accuracy_of(family.base, split)]
    found += (accuracy_of(x.member, split) for x in family.results)
    if axis is SIZE:
        found += (accuracy_of(x.int8, split) for x in family.results if x.int8)
    low, high = min(x.low for x in found), max(x.high for x in found)
    floor = low - _HEIGHTS_BELOW * (high - low)
    beside = [accuracy_of(x.member, split) for x in family.rivals]
    near = [x for x in beside if x.value >= floor]
    low = min([low, *(max(x.low, floor) for x in near)])
    high = max([high, *(x.high for x in near)])
    margin = 0.1 * (high - low)
    return [low - margin, high + margin]


def _series(
    number: int, criterion: str, results: Sequence[Result], axis: Axis, split: Split
) -> Json:
    accuracies = [accuracy_of(result.member, split) for result in results]
    on_front = [axis.is_on_front(result) for result in results]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": escape(criterion),
        "x": [axis.place(result.member) for result in results],
        "y": [accuracy.value for accuracy in accuracies],
        "error_y": error_bars(accuracies),
        "marker": {
            "symbol": SYMBOLS[number % len(SYMBOLS)],
            "size": [_FRONT_SIZE if kept else _SIZE for kept in on_front],
            "opacity": [1.0 if kept else 0.6 for kept in on_front],
            "line": {"width": [2 if kept else 0 for kept in on_front]},
        },
        "hovertext": [_point_hover(result) for result in results],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "meta": {"part": "series", "number": number},
    }


def _front(results: Sequence[Result], axis: Axis, split: Split) -> Json:
    """Draw the front: on validation as the staircase that it is, on test as a plain line."""
    front = front_points(results, axis, split)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": axis.front,
        "x": [place for place, _ in front],
        "y": [accuracy for _, accuracy in front],
        "line": {"shape": axis.steps if split == "validation" else "linear", "width": 2},
        "hoverinfo": "skip",
        "meta": {"part": "front"},
    }


def _band(base: Accuracy) -> Json:
    return {
        "type": "rect",
        "layer": "below",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "y0": base.low,
        "y1": base.high,
        "line": {"width": 0},
    }


def _line(number: int, axis: Axis, label: str, accuracy: float) -> Json:
    return {
        "type": "line",
        "layer": "below",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "y0": accuracy,
        "y1": accuracy,
        "line": {"width": 1.5, "dash": "dash" if number == 0 else "dot"},
        "label": {
            "text": label,
            "textposition": axis.label_places[number % len(axis.label_places)],
            "yanchor": "bottom",
        },
    }


def _point_hover(result: Result) -> str:
    also = f" (also {', '.join(result.also)})" if result.also else ""
    lines = (
        f"{result.criterion}, seed {result.seed}",
        *measured_lines(result.member),
        *(("on the front",) if result.on_front else ()),
        *(("on the size front",) if result.on_size_front else ()),
    )
    return f"<b>{escape(result.strategy)}</b>{escape(also)}<br>" + "<br>".join(map(escape, lines))
