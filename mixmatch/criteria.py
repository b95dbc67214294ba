"""Pruning criteria: how much each weight matters.

To add one: write its rule here, one line in ``CRITERIA``, and its name in ``CriterionName``, which
run files are checked against; the contract suite covers it.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from mixmatch.errors import ConfigError, LayerError, ScoreError
from mixmatch.signals import Signal, Signals


@dataclass(frozen=True, slots=True)
class Criterion:
    """A rule that scores weights. Higher means keep; only the order of scores matters.

    Attributes:
        name: key in its registry, in run files and in run names.
        score: maps (weight, signal), two tensors of one shape, to scores of that shape.
        needs: the signal to pass; with ``Signal.NONE`` the second tensor is ignored.
        source: where the rule comes from.
    """

    name: str
    score: Callable[[Tensor, Tensor], Tensor]
    needs: Signal
    source: str


def magnitude(weight: Tensor, signal: Tensor) -> Tensor:
    """Score by size: |w|."""
    del signal  # every rule has this signature
    return weight.abs()


def steepness(weight: Tensor, signal: Tensor) -> Tensor:
    """Score by how steeply the loss answers to the weight: |signal|."""
    del weight
    return signal.abs()


def product(weight: Tensor, signal: Tensor) -> Tensor:
    """Score by the first-order change of the loss if the weight goes: |w * signal|."""
    return (weight * signal).abs()


# "gradient" and "product" read the mean of |g_batch|, as the authors' code does. The paper says
# "accumulated", which would make product equal SNIP.
_ALL = (
    Criterion("magnitude", magnitude, Signal.NONE, "Han et al. 2015, arXiv 1506.02626"),
    Criterion("gradient", steepness, Signal.ABS_GRADIENT, "Mix-and-Match, arXiv 2603.20280"),
    Criterion("product", product, Signal.ABS_GRADIENT, "Mix-and-Match, arXiv 2603.20280"),
)

CRITERIA: Mapping[str, Criterion] = MappingProxyType({x.name: x for x in _ALL})


def score(
    criterion_name: str, weights: Mapping[str, Tensor], signals: Signals | None
) -> dict[str, Tensor]:
    """Score every layer's weights by the criterion of that name.

    Args:
        weights: weight tensors by layer name.
        signals: what ``measure_signals`` found for the same layers; None if nothing was measured.

    Returns:
        Scores by layer name, in the order, shape and device of ``weights``; higher means keep.

    Raises:
        ConfigError: no criterion has that name, or it needs a signal that was not measured.
        LayerError: the measured signal lacks a layer, or has another shape.
        ScoreError: a score is NaN or infinite.
    """
    if criterion_name not in CRITERIA:
        raise ConfigError(f"criterion must be one of {sorted(CRITERIA)}, got {criterion_name!r}.")
    criterion = CRITERIA[criterion_name]
    return score_by(criterion, weights, measured(criterion, weights, signals))


def measured(
    criterion: Criterion, weights: Mapping[str, Tensor], signals: Signals | None
) -> Mapping[str, Tensor]:
    """Return what ``criterion`` reads besides the weights, by layer name.

    Raises:
        ConfigError: it needs a signal that was not measured.
    """
    if criterion.needs is Signal.NONE:
        return weights
    found = signals.of(criterion.needs) if signals is not None else {}
    if not found:
        raise ConfigError(
            f"{criterion.name} needs the signal {criterion.needs}, which was not measured; "
            f"call measure_signals first."
        )
    return found


def score_by(
    criterion: Criterion, weights: Mapping[str, Tensor], signal: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Apply a criterion layer by layer and check that its scores can be ranked.

    Raises:
        LayerError: ``signal`` lacks a layer, or has another shape than its weight.
        ScoreError: a score is NaN or infinite.
    """
    scores = {}
    for name, weight in weights.items():
        if name not in signal or signal[name].shape != weight.shape:
            found = tuple(signal[name].shape) if name in signal else "none"
            raise LayerError(
                f"{criterion.name} needs the signal {criterion.needs} of shape "
                f"{tuple(weight.shape)} for layer {name!r}, got {found}."
            )
        with torch.no_grad():
            scores[name] = criterion.score(weight, signal[name].to(weight.device))
        # NaN is both the lowest and the highest; asking each score is many times slower.
        if not all(math.isfinite(extreme) for extreme in torch.aminmax(scores[name])):
            num_bad = int((~torch.isfinite(scores[name])).sum())
            raise ScoreError(
                f"Scores must be finite, but {criterion.name} gave {num_bad} NaN or infinite "
                f"scores in layer {name!r}; look for NaN in its weight or in the images."
            )
    return scores
