"""A plan as tables: layers with their ranges, strategies, and what a run would cost."""

from typing import TYPE_CHECKING

from flows.cli.facts_table import print_base, print_data
from flows.cli.output import megabytes, percent

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from tasks.plan_summary import PlanSummary


def print_plan(console: "Console", plan: "PlanSummary") -> None:
    """Print data, base, layers, strategies and cost."""
    print_data(console, plan.data)
    print_base(console, plan.base)
    console.print(_layer_table(plan))
    console.print(_strategy_table(plan))
    cost = plan.cost
    console.print(
        f"Work: at most {cost.trainings} trainings of {cost.images:,} images, {cost.epochs} epochs "
        f"each; {cost.image_passes:,} image passes in all. Equal strategies are trained once.",
        soft_wrap=True,
    )
    console.print("Sizes are estimates; those of a run are bytes on disk.")


def _layer_table(plan: "PlanSummary") -> "Table":
    table = _table("layer", "role", "weights", "observed %", "range %")
    for layer in plan.layers:
        observed = _interval(layer.observed) if layer.observed else "preset"
        allowed = _interval(layer.range)
        table.add_row(layer.name, layer.role, f"{layer.num_weights:,}", observed, allowed)
    return table


def _strategy_table(plan: "PlanSummary") -> "Table":
    table = _table("strategy", "same as", "sparsity %", "layers %", "expected MB")
    first_with: dict[str, str] = {}
    for name, strategy in plan.strategies.items():
        first = first_with.setdefault(strategy.digest, name)
        planned = strategy.layers.values()
        table.add_row(
            name,
            first if first != name else "",
            percent(strategy.sparsity),
            _interval((min(planned), max(planned))),
            megabytes(strategy.expected_bytes),
        )
    return table


def _interval(ends: tuple[float, float]) -> str:
    return f"{percent(ends[0], 1)} to {percent(ends[1], 1)}"


def _table(*headings: str) -> "Table":
    from rich import box  # noqa: PLC0415  slow to load, and help does without
    from rich.table import Table  # noqa: PLC0415  likewise

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column, heading in enumerate(headings):
        table.add_column(heading, justify="right" if column > 1 else "left", no_wrap=True)
    return table
