"""Phase 1 of the method: what global rankings would prune from each layer (eq. 1 and 2)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from mixmatch.baselines import baseline_scores
from mixmatch.masks import global_num_pruned
from mixmatch.ranges import SparsityRange, observed_ranges
from mixmatch.roles import PrunableLayer
from mixmatch.signals import Signals


@dataclass(frozen=True, slots=True)
class Observation:
    """One global ranking at one global sparsity.

    Attributes:
        baseline: key in BASELINES.
        target: global sparsity, a fraction.
        num_pruned: weights that go, by layer name.
    """

    baseline: str
    target: float
    num_pruned: Mapping[str, int]


def observe(
    weights: Mapping[str, Tensor],
    signals: Signals,
    *,
    baselines: Sequence[str] = ("MAG", "SNIP", "GraSP"),
    targets: Sequence[float] = (0.7, 0.8, 0.9),
    seed: int = 0,
) -> tuple[Observation, ...]:
    """Rank all weights globally by every baseline, and cut at every target.

    Args:
        weights: by layer name, in registration order: ties go by it.
        signals: as ``measure_signals`` returns them, on the same layers.
        baselines: keys of BASELINES.
        targets: global sparsities, fractions.
        seed: of the ``random`` baseline.

    Raises:
        ScoreError: a score is NaN or infinite.
    """
    found = []
    for baseline in baselines:
        scores = baseline_scores(baseline, weights, signals, seed=seed)
        for target, counts in global_num_pruned(scores, targets).items():
            found.append(Observation(baseline, target, counts))
    return tuple(found)


def ranges_from(
    layers: Sequence[PrunableLayer], observations: Iterable[Observation]
) -> dict[str, SparsityRange]:
    """Return, per layer, the smallest range that holds every observed sparsity."""
    sizes = {layer.name: layer.num_weights for layer in layers}
    return observed_ranges(
        layers,
        [
            {name: count / sizes[name] for name, count in seen.num_pruned.items()}
            for seen in observations
        ],
    )
