"""Strategies that reach a global sparsity by one alpha, found by bisection. No torch."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from mixmatch.errors import ConfigError
from mixmatch.ranges import SparsityRange
from mixmatch.records import StrategyRecord
from mixmatch.roles import PrunableLayer
from mixmatch.strategies import plan_at

_TOLERANCE = 1e-4  # of alpha, and of what the ranges must reach
_FEWEST_DECIMALS = 2


def target_name(target: float) -> str:
    """Name the strategy that reaches ``target``: ``target_0.90``, ``target_0.925``.

    It has as many decimals as the number itself, at least two: no two targets share a name.
    """
    whole, _, decimals = format(Decimal(repr(target)), "f").partition(".")
    return f"target_{whole}.{decimals.ljust(_FEWEST_DECIMALS, '0')}"


def plan_for(
    target: float, layers: Sequence[PrunableLayer], ranges: Mapping[str, SparsityRange]
) -> StrategyRecord:
    """Plan the constant alpha, exact to 1e-4, at which the family has the global sparsity.

    Counted weights decide, not interpolated fractions. They never fall as alpha grows, so
    bisection finds the place; of its two last alphas the one nearer to ``target`` is taken.

    Args:
        target: global sparsity, a fraction.
        layers: all prunable layers, in registration order.
        ranges: the range of every layer, by name.

    Raises:
        ConfigError: the ranges do not reach ``target``; the message says how far they do.
    """
    name = target_name(target)

    def planned(alpha: float) -> StrategyRecord:
        return plan_at(name, alpha, layers, ranges)

    lowest, highest = planned(0.0).sparsity, planned(1.0).sparsity
    if not lowest - _TOLERANCE <= target <= highest + _TOLERANCE:
        raise ConfigError(
            f"target_sparsity must lie between {lowest:.4f} and {highest:.4f}, which the ranges of "
            f"this network reach, got {target:g}; widen them with ranges.targets, ranges.roles or "
            "ranges.layers."
        )
    return min(_bracket(planned, target), key=lambda one: abs(one.sparsity - target))


def _bracket(
    planned: Callable[[float], StrategyRecord], target: float
) -> tuple[StrategyRecord, StrategyRecord]:
    """Return the plans of two alphas, 1e-4 apart at most, between which ``target`` is passed."""
    low, high = 0.0, 1.0
    while high - low > _TOLERANCE:
        middle = (low + high) / 2
        if planned(middle).sparsity <= target:
            low = middle
        else:
            high = middle
    return planned(low), planned(high)
