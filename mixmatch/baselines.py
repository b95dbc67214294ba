"""Global baselines: criteria whose scores are ranked over all layers at once.

They show how sparse each layer becomes when nothing holds it back, and they are the competitors.
The paper observes MAG, SNIP and GraSP, which are the default; LAMP and random are choices beside.
To add one: one line in ``BASELINES``, and its name in ``Baseline`` and ``RivalName``, which run
files are checked against, since every baseline is a rival too; the contract suite covers it.
"""

from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from mixmatch.criteria import Criterion, magnitude, measured, product, score_by
from mixmatch.digests import json_digest
from mixmatch.errors import ConfigError
from mixmatch.signals import Signal, Signals


def curvature(weight: Tensor, signal: Tensor) -> Tensor:
    """Score by w * (H g), signed: the smallest go first, as they most raise the gradient flow."""
    return weight * signal


def adaptive_magnitude(weight: Tensor, signal: Tensor) -> Tensor:
    """Score by w^2 over the sum of all squares in the layer that are at least as large (LAMP).

    Equal squares share one score, where the authors' code orders them arbitrarily. A layer's best
    weight scores 1, or 1/k if k are equally good; zeros score 0. In float64: squares of float32
    are exact there, so unequal weights never tie.
    """
    del signal
    # On the CPU whatever the device: a parallel sum need not grow from one weight to the next.
    ascending, place = weight.detach().cpu().abs().flatten().sort()
    values, tie, counts = torch.unique_consecutive(
        ascending, return_inverse=True, return_counts=True
    )
    squares = values.double().square()
    at_least = (squares * counts).flip(0).cumsum(0).flip(0)
    shares = torch.where(squares > 0, squares / at_least, squares)
    ranked = shares[tie]
    scores = torch.empty_like(ranked).scatter_(0, place, ranked)
    return scores.view(weight.shape).to(weight.device)


def by_chance(weight: Tensor, signal: Tensor) -> Tensor:
    """Score by the given noise alone."""
    del weight
    return signal


# The authors' code differs: its SNIP never gets a gradient and equals MAG, and its GraSP drops the
# sign and the Hessian.
_ALL = (
    Criterion("MAG", magnitude, Signal.NONE, "Han et al. 2015, arXiv 1506.02626"),
    Criterion("SNIP", product, Signal.GRADIENT, "Lee et al. 2019, arXiv 1810.02340"),
    Criterion("GraSP", curvature, Signal.HESSIAN_GRADIENT, "Wang et al. 2020, arXiv 2002.07376"),
    Criterion("LAMP", adaptive_magnitude, Signal.NONE, "Lee et al. 2021, arXiv 2010.07611"),
    Criterion("random", by_chance, Signal.NOISE, "chance, the floor for every other rule"),
)

BASELINES: Mapping[str, Criterion] = MappingProxyType({x.name: x for x in _ALL})


def baseline_scores(
    name: str, weights: Mapping[str, Tensor], signals: Signals | None, *, seed: int
) -> dict[str, Tensor]:
    """Score every layer's weights by the baseline of that name, comparably across layers.

    Args:
        weights: weight tensors by layer name.
        signals: what ``measure_signals`` found for the same layers; None if nothing was measured.
        seed: decides ``random``; the others do not read it.

    Returns:
        Scores by layer name, in the order, shape and device of ``weights``; higher means keep.

    Raises:
        ConfigError: no baseline has that name, or it needs a signal that was not measured.
        LayerError: the measured signal lacks a layer, or has another shape.
        ScoreError: a score is NaN or infinite.
    """
    if name not in BASELINES:
        raise ConfigError(f"baseline must be one of {sorted(BASELINES)}, got {name!r}.")
    baseline = BASELINES[name]
    if baseline.needs is Signal.NOISE:
        return score_by(baseline, weights, {x: _noise(x, weights[x], seed) for x in weights})
    return score_by(baseline, weights, measured(baseline, weights, signals))


def _noise(layer: str, weight: Tensor, seed: int) -> Tensor:
    """Draw on the CPU from the seed and the layer's name alone, whatever device ranks it."""
    digest = json_digest({"seed": seed, "layer": layer})
    generator = torch.Generator().manual_seed(int(digest[:15], 16))
    return torch.rand(weight.shape, generator=generator)
