"""The report's two charts as Plotly figures in plain JSON.

They carry data, labels and marks; ``meta`` says which part a trace plays, and the page's script
gives each part its colour, because colours follow the reader's light or dark theme.
"""

from collections.abc import Mapping, Sequence
from html import escape

from mixmatch.records import (
    Accuracy,
    FamilyRecord,
    LayerRecord,
    PlanRecord,
    Result,
    StrategyRecord,
)
from tasks.report.marks import Json, Split, accuracy_of, error_bars, measured_lines
from tasks.report.rivals import control_level, rival_series
from tasks.report.texts import percent

# Marks differ as well as colours, so that a criterion can be told without seeing its colour.
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star")
_SIZE, _FRONT_SIZE = 8, 13
_ROW_HEIGHT = 24
_HEIGHTS_BELOW = 2  # how far below the family a rival is still in the picture
# The first is the base's: few results are as sparse and as accurate as its right end.
_LABEL_PLACES = ("end", "start", "middle")


def trade_off(family: FamilyRecord, split: Split, references: Mapping[str, float]) -> Json:
    """Draw accuracy against sparsity: the front as a line, a series per criterion and per rival.

    Args:
        family: the product of a run; fractions on both axes.
        split: whose accuracy. The front is always the one that validation decided.
        references: further horizontal lines, accuracy by label, fractions. One that lies far from
            the family is outside the picture, which shows the family in full height.
    """
    criteria = list(dict.fromkeys(result.criterion for result in family.results))
    series = [
        _series(number, name, [x for x in family.results if x.criterion == name], split)
        for number, name in enumerate(criteria)
    ]
    rivals = rival_series(family.rivals, split)
    base = accuracy_of(family.base, split)
    lines = _levels(family, split, references)
    layout = {
        "xaxis": {"title": {"text": "sparsity"}, "tickformat": ".0%"},
        "yaxis": {
            "title": {"text": f"{split} accuracy"},
            "tickformat": ".1%",
            "range": _span(family, split),
        },
        "shapes": [_band(base), *(_line(n, *line) for n, line in enumerate(lines.items()))],
    }
    return {"data": [_front(family.results, split), *series, *rivals], "layout": layout}


def _levels(
    family: FamilyRecord, split: Split, references: Mapping[str, float]
) -> dict[str, float]:
    """Return the horizontal lines by label: base, dense control, references."""
    levels = {"base": accuracy_of(family.base, split).value}
    if (control := control_level(family.rivals, split)) is not None:
        levels["dense control"] = control
    levels |= references
    return {f"{escape(name)} {percent(value)}": value for name, value in levels.items()}


def _span(family: FamilyRecord, split: Split) -> list[float]:
    """Return the ends of the accuracy axis: all intervals of the family, and a margin.

    Rivals are in it too, down to two heights of the family below it: what collapsed further would
    leave nothing to see of the rest.
    """
    found = [accuracy_of(family.base, split)]
    found += (accuracy_of(x.member, split) for x in family.results)
    low, high = min(x.low for x in found), max(x.high for x in found)
    floor = low - _HEIGHTS_BELOW * (high - low)
    beside = [accuracy_of(x.member, split) for x in family.rivals]
    near = [x for x in beside if x.value >= floor]
    low = min([low, *(max(x.low, floor) for x in near)])
    high = max([high, *(x.high for x in near)])
    margin = 0.1 * (high - low)
    return [low - margin, high + margin]


def front_points(results: Sequence[Result], split: Split) -> list[tuple[float, float]]:
    """Return (sparsity, accuracy) of each point on the front, least sparse first.

    Seeds of one strategy and criterion are one point, at their mean, as for the front itself.
    """
    seeds: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        if result.on_front:
            seeds.setdefault((result.strategy, result.criterion), []).append(result)
    means = (
        (
            sum(x.member.sparsity for x in point) / len(point),
            sum(accuracy_of(x.member, split).value for x in point) / len(point),
        )
        for point in seeds.values()
    )
    return sorted(means, key=lambda point: (point[0], -point[1]))


def layer_map(plan: PlanRecord) -> Json:
    """Draw the sparsity of every layer (rows, first layer on top) under every strategy."""
    height = _ROW_HEIGHT * len(plan.layers)
    heat = {
        "type": "heatmap",
        "z": [[_planned(layer, x) for x in plan.strategies] for layer in plan.layers],
        "zmin": 0,
        "zmax": 1,
        "hovertext": [[_cell_hover(layer, x) for x in plan.strategies] for layer in plan.layers],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "texttemplate": "%{z:.0%}",
        "xgap": 2,
        "ygap": 2,
        "colorbar": {"tickformat": ".0%", "thickness": 12, "outlinewidth": 0},
        "meta": {"part": "heat"},
    }
    layout = {
        "height": height + 130,
        "xaxis": {
            "side": "top",
            "tickangle": -35,
            "tickvals": list(range(len(plan.strategies))),
            "ticktext": [f"{escape(x.name)} {x.sparsity:.0%}" for x in plan.strategies],
        },
        "yaxis": {
            "autorange": "reversed",
            "tickvals": list(range(len(plan.layers))),
            "ticktext": [_layer_label(layer) for layer in plan.layers],
        },
    }
    return {"data": [heat], "layout": layout}


def _series(number: int, criterion: str, results: Sequence[Result], split: Split) -> Json:
    accuracies = [accuracy_of(result.member, split) for result in results]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": escape(criterion),
        "x": [result.member.sparsity for result in results],
        "y": [accuracy.value for accuracy in accuracies],
        "error_y": error_bars(accuracies),
        "marker": {
            "symbol": _SYMBOLS[number % len(_SYMBOLS)],
            "size": [_FRONT_SIZE if result.on_front else _SIZE for result in results],
            "opacity": [1.0 if result.on_front else 0.6 for result in results],
            "line": {"width": [2 if result.on_front else 0 for result in results]},
        },
        "hovertext": [_point_hover(result) for result in results],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "meta": {"part": "series", "number": number},
    }


def _front(results: Sequence[Result], split: Split) -> Json:
    """Draw the front: on validation as the staircase that it is, on test as a plain line."""
    front = front_points(results, split)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "Pareto front",
        "x": [sparsity for sparsity, _ in front],
        "y": [accuracy for _, accuracy in front],
        # Up to a point's sparsity its accuracy can be had; beyond it, only the next one's.
        "line": {"shape": "vh" if split == "validation" else "linear", "width": 2},
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


def _line(number: int, label: str, accuracy: float) -> Json:
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
            "textposition": _LABEL_PLACES[number % len(_LABEL_PLACES)],
            "yanchor": "bottom",
        },
    }


def _point_hover(result: Result) -> str:
    also = f" (also {', '.join(result.also)})" if result.also else ""
    lines = (
        f"{result.criterion}, seed {result.seed}",
        *measured_lines(result.member),
        *(("on the front",) if result.on_front else ()),
    )
    return f"<b>{escape(result.strategy)}</b>{escape(also)}<br>" + "<br>".join(map(escape, lines))


def _cell_hover(layer: LayerRecord, strategy: StrategyRecord) -> str:
    seen = layer.observed
    lines = (
        f"{layer.name} ({layer.role})",
        f"sparsity {percent(_planned(layer, strategy))}",
        f"{strategy.num_pruned[layer.name]:,} of {layer.num_weights:,} weights pruned",
        f"range {percent(layer.range[0])} to {percent(layer.range[1])}",
        *(
            (f"observed {percent(seen[0])} to {percent(seen[1])}",)
            if seen
            else ("range of a preset",)
        ),
    )
    return f"<b>{escape(strategy.name)}</b><br>" + "<br>".join(map(escape, lines))


def _layer_label(layer: LayerRecord) -> str:
    return f"{escape(layer.name)}  <i>{escape(layer.role.replace('_', ' '))}</i>"


def _planned(layer: LayerRecord, strategy: StrategyRecord) -> float:
    return strategy.num_pruned[layer.name] / layer.num_weights
