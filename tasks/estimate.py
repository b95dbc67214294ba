"""What a plan will come to before anything is trained: bytes on disk, and work."""

import math

from mixmatch.config import RunConfig
from mixmatch.records import BaseRecord, DataRecord, PlanRecord, Record, StrategyRecord
from tasks.labels import DENSE

_FLOAT_BYTES = 4
# What packing leaves of float32 weights: sign and mantissa are noise, the exponent is not. Measured
# on a ResNet-18: 0.85 of all values, 0.80 of the largest tenth, so estimates are a little high.
_VALUE_SHARE = 0.85


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
    """Estimate the packed file of a strategy: kept values, an entropy-coded mask, and the rest.

    The rest (biases, normalization, buffers) is what the base's file holds besides weights.
    """
    rest = max(0, base.artifact.size_bytes - _FLOAT_BYTES * base.num_weights)
    total = float(rest)
    for layer in plan.layers:
        num_weights, num_pruned = layer.num_weights, strategy.num_pruned[layer.name]
        values = _FLOAT_BYTES * (num_weights - num_pruned) * _VALUE_SHARE
        mask_bytes = num_weights * _entropy_bits(num_pruned / num_weights) / 8
        total += min(values + mask_bytes, _FLOAT_BYTES * num_weights * _VALUE_SHARE)
    return round(total)


def _entropy_bits(share: float) -> float:
    """Return the bits that one entry of a mask with this share of zeros costs at least."""
    if share <= 0.0 or share >= 1.0:
        return 0.0
    return -share * math.log2(share) - (1.0 - share) * math.log2(1.0 - share)
