"""Sparsity per layer and strategy as a map: layers down, strategies across."""

from matplotlib.figure import Figure

from mixmatch.records import PlanRecord
from tasks.study.drawing import new_figure

_LAYER_HEIGHT, _STRATEGY_WIDTH = 0.19, 0.42  # inches
_MARGINS = (3.4, 2.2)  # inches for names and the colour bar: across, down
_NARROWEST = 3  # strategies; below it the colour bar would leave the map no room


def layer_figure(plan: PlanRecord) -> Figure:
    """Draw what a plan prunes; strategies stand in the order of their global sparsity."""
    strategies = sorted(plan.strategies, key=lambda x: x.sparsity)
    shares = [[100 * x.num_pruned[y.name] / y.num_weights for x in strategies] for y in plan.layers]
    figure = new_figure(
        _MARGINS[0] + _STRATEGY_WIDTH * max(_NARROWEST, len(strategies)),
        _MARGINS[1] + _LAYER_HEIGHT * len(plan.layers),
    )
    axes = figure.add_subplot()
    axes.grid(visible=False)
    cells = axes.pcolormesh(
        shares, vmin=0, vmax=100, cmap="viridis", edgecolors="white", linewidth=0.4
    )
    names = [f"{x.name}  {100 * x.sparsity:.1f} %" for x in strategies]
    axes.set_xticks([x + 0.5 for x in range(len(names))], names, rotation=90)
    layers = [f"{x.name} ({x.role.replace('_', ' ')})" for x in plan.layers]
    axes.set_yticks([x + 0.5 for x in range(len(layers))], layers)
    axes.tick_params(length=0)
    axes.invert_yaxis()
    for side in axes.spines.values():
        side.set_visible(False)
    figure.colorbar(cells, ax=axes, label="planned sparsity, %", shrink=0.6)
    return figure
