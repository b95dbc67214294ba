"""The map of sparsities: every layer under every strategy, as a Plotly figure in plain JSON."""

from html import escape

from mixmatch.records import LayerRecord, PlanRecord, StrategyRecord
from tasks.report.marks import Json
from tasks.report.texts import percent

_ROW_HEIGHT = 24


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
