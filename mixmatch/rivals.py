"""Rivals: the pruning rules that a family is compared with, under equal conditions.

To add one: add one line to ``RIVALS`` (and its name to the run file's ``compare``); the contract
suite covers it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType

import torch
from torch import Tensor

from mixmatch.baselines import BASELINES, adaptive_magnitude, baseline_scores
from mixmatch.criteria import Criterion, magnitude, measured, product, score_by
from mixmatch.errors import ConfigError
from mixmatch.masks import global_num_pruned
from mixmatch.ranges import num_to_prune
from mixmatch.signals import Signal, Signals


class Ranking(StrEnum):
    """Among which weights a rule chooses those that go."""

    GLOBAL = "global"  # among all prunable weights at once
    PER_LAYER = "per_layer"  # within each layer, the same sparsity in all
    NONE = "none"  # nothing goes


@dataclass(frozen=True, slots=True)
class Rival(Criterion):
    """A criterion and how its scores are ranked: all that decides a mask at a given sparsity.

    Attributes:
        name: key in RIVALS and in the run file's ``compare``.
        score: maps (weight, signal), two tensors of one shape, to scores of that shape.
        needs: the signal to pass; with ``Signal.NONE`` the second tensor is ignored.
        source: where the rule comes from.
        ranking: among which weights the lowest scores go.
    """

    ranking: Ranking

    @property
    def needs_hessian(self) -> bool:
        """Whether that pass must measure the Hessian-gradient product too."""
        return self.needs is Signal.HESSIAN_GRADIENT


def indifference(weight: Tensor, signal: Tensor) -> Tensor:
    """Score every weight alike."""
    del signal
    return torch.ones_like(weight)


_ALL = (
    *(Rival(x.name, x.score, x.needs, x.source, Ranking.GLOBAL) for x in BASELINES.values()),
    Rival("PROD", product, Signal.ABS_GRADIENT, "Mix-and-Match, arXiv 2603.20280", Ranking.GLOBAL),
    Rival(
        "uniform", magnitude, Signal.NONE, "Zhu & Gupta 2017, arXiv 1710.01878", Ranking.PER_LAYER
    ),
    Rival("dense", indifference, Signal.NONE, "the control: fine-tuning alone", Ranking.NONE),
)

RIVALS: Mapping[str, Rival] = MappingProxyType({x.name: x for x in _ALL})


def rival_scores(
    name: str, weights: Mapping[str, Tensor], signals: Signals | None, *, seed: int
) -> dict[str, Tensor]:
    """Score every layer's weights by the rival of that name.

    Of each layer the ``num_pruned`` lowest, as ``keep_mask`` cuts them, are exactly what the
    rival's ranking removes there. For ``dense`` all weights score alike, and nothing is to be cut.

    Args:
        weights: weight tensors by layer name.
        signals: what ``measure_signals`` found for the same layers; None if nothing was measured.
        seed: decides ``random``; the others do not read it.

    Returns:
        Scores by layer name, in the order, shape and device of ``weights``; higher means keep.

    Raises:
        ConfigError: no rival has that name, or it needs a signal that was not measured.
        LayerError: the measured signal lacks a layer, or has another shape.
        ScoreError: a score is NaN or infinite.
    """
    rival = _rival(name)
    if rival.score is adaptive_magnitude:
        # Within one layer it orders as magnitude does, which needs no sort of the whole layer.
        rival = replace(rival, score=magnitude)
    return _scores(rival, weights, signals, seed)


def rival_num_pruned(
    name: str,
    weights: Mapping[str, Tensor],
    signals: Signals | None,
    sparsities: Sequence[float],
    *,
    seed: int,
) -> dict[float, dict[str, int]]:
    """Count what each layer loses to the rival of that name at each sparsity, in one pass.

    Ranked globally, exactly ``round(sparsity * N)`` of all N weights go, ties by layer, then flat
    index; a layer may lose all its weights here, and its mask keeps one. Ranked per layer,
    ``num_to_prune`` weights of each go.

    Args:
        weights: by layer name, in registration order: ties go by it.
        signals: what ``measure_signals`` found for the same layers; None if nothing was measured.
        sparsities: fractions in [0, 1].
        seed: decides ``random``; the others do not read it.

    Returns:
        By sparsity, then by layer name: the number of weights that go.

    Raises:
        ConfigError: no rival has that name, it prunes nothing, or it needs a signal that was not
            measured.
        LayerError: the measured signal lacks a layer, or has another shape.
        ScoreError: a score is NaN or infinite.
        SparsityError: a sparsity is outside [0, 1].
    """
    rival = _rival(name)
    if rival.ranking is Ranking.NONE:
        pruning = sorted(x for x in RIVALS if RIVALS[x].ranking is not Ranking.NONE)
        raise ConfigError(f"rival must be one that prunes, of {pruning}, got {name!r}.")
    if rival.ranking is Ranking.PER_LAYER:
        sizes = {layer: weight.numel() for layer, weight in weights.items()}
        return {x: {layer: num_to_prune(x, n) for layer, n in sizes.items()} for x in sparsities}
    return global_num_pruned(_scores(rival, weights, signals, seed), sparsities)


def _scores(
    rival: Rival, weights: Mapping[str, Tensor], signals: Signals | None, seed: int
) -> dict[str, Tensor]:
    """Score by the rule itself, comparably across layers."""
    if rival.name in BASELINES:
        return baseline_scores(rival.name, weights, signals, seed=seed)
    return score_by(rival, weights, measured(rival, weights, signals))


def _rival(name: str) -> Rival:
    if name not in RIVALS:
        raise ConfigError(f"rival must be one of {sorted(RIVALS)}, got {name!r}.")
    return RIVALS[name]
