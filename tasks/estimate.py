"""What a plan will come to before anything is trained: bytes on disk, and work."""

import math
from bisect import bisect_left

from mixmatch.config import RunConfig
from mixmatch.records import BaseRecord, DataRecord, PlanRecord, Record, StrategyRecord
from tasks.labels import DENSE

_FLOAT_BYTES = 4
# Bits of a kept float32 value by the share of a layer that is kept: sign and mantissa are noise, 24
# bits, and the exponents of the largest entries of a normal distribution have this entropy on
# average over its scale. Packed layers of ResNet-18, fine-tuned, take from 0.8 less to 0.2 more.
_KEPT_SHARES = (0.0, 0.01, 0.05, 0.1, 0.2, 0.4, 0.5, 0.6, 0.75, 0.9, 1.0)
_VALUE_BITS = (24.2, 24.34, 24.48, 24.59, 24.77, 25.09, 25.25, 25.43, 25.73, 26.12, 26.54)


class PlanCost(Record):
    """The work that a plan asks for, at most: early stopping and the store may save some.

    Attributes:
        trainings: distinct (mask, seed) pairs, with every criterion and all rivals.
        images: training images of one epoch.
        epochs: at most, per training.
        image_passes: training images times epochs, of all; under a budget of epochs the family's
            part is the budget.
    """

    trainings: int
    images: int
    epochs: int
    image_passes: int


def plan_cost(config: RunConfig, data: DataRecord, plan: PlanRecord) -> PlanCost:
    """Count the trainings of a plan; equal configurations are trained once."""
    images, epochs = data.num_images["train"], config.fine_tune.max_epochs
    num_seeds = len(config.seeds) if epochs else 1
    num_plans = len({strategy.digest for strategy in plan.strategies}) * len(config.criteria)
    family, compared = num_plans * num_seeds, _num_rivals(config, plan) * num_seeds
    budget = config.fine_tune.budget
    spent = family * epochs if budget is None else num_seeds * budget.epochs
    return PlanCost(
        trainings=family + compared,
        images=images,
        epochs=epochs,
        image_passes=(spent + compared * epochs) * images,
    )


def _num_rivals(config: RunConfig, plan: PlanRecord) -> int:
    """Count what ``compare`` asks for, of one seed."""
    reached = {strategy.sparsity for strategy in plan.strategies if strategy.sparsity > 0}
    num_sparsities = len(config.compare_sparsities or reached)
    return sum(1 if name == DENSE else num_sparsities for name in config.compare)


def expected_bytes(strategy: StrategyRecord, plan: PlanRecord, base: BaseRecord) -> int:
    """Estimate the packed float32 file of a strategy: kept values, an entropy-coded mask, the rest.

    For a mask that keeps the largest weights; another one keeps values of more various exponents.
    The rest (biases, normalization, buffers) is what the base's file holds besides weights.
    """
    rest = max(0, base.artifact.size_bytes - _FLOAT_BYTES * base.num_weights)
    bits = sum(_layer_bits(x.num_weights, strategy.num_pruned[x.name]) for x in plan.layers)
    return round(rest + bits / 8)


def _layer_bits(num_weights: int, num_pruned: int) -> float:
    """Return the bits of one layer: with a mask, or of all its values if these are fewer."""
    num_kept = num_weights - num_pruned
    values = num_kept * _value_bits(num_kept / num_weights)
    mask = num_weights * _entropy_bits(num_pruned / num_weights)
    return min(values + mask, num_weights * _value_bits(1.0))


def _value_bits(kept_share: float) -> float:
    """Interpolate between the known shares."""
    high = min(bisect_left(_KEPT_SHARES, kept_share) or 1, len(_KEPT_SHARES) - 1)
    (x0, x1), (y0, y1) = _KEPT_SHARES[high - 1 : high + 1], _VALUE_BITS[high - 1 : high + 1]
    return y0 + (kept_share - x0) / (x1 - x0) * (y1 - y0)


def _entropy_bits(share: float) -> float:
    """Return the bits that one entry of a mask with this share of zeros costs at least."""
    if share <= 0.0 or share >= 1.0:
        return 0.0
    return -share * math.log2(share) - (1.0 - share) * math.log2(1.0 - share)
