"""Masks and global rankings beside what people would use instead, on the CPU.

VGG-11 with 28.1M parameters, its weights as drawn and made-up gradients: time depends on neither.
The ten strategies are those that its own ranges give.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from benchmarks.ratios import Comparison
from mixmatch.config import RangeSettings
from mixmatch.layers import prunable_layers, weights_of
from mixmatch.masks import global_num_pruned, keep_masks_of
from mixmatch.observation import observe, ranges_from
from mixmatch.ranges import constrained_ranges
from mixmatch.signals import Signals
from mixmatch.strategies import METHOD_TEN, plan
from mixmatch.vgg import vgg11_cifar

TARGETS = (0.7, 0.8, 0.9)
QUICK_SHARE = 16

Layers = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Case:
    """What is measured on.

    Attributes:
        weights: by layer.
        scores: their magnitudes, by layer.
        rankings: scores by layer of the three global baselines.
        num_pruned: weights that go, by strategy, then by layer.
    """

    weights: Layers
    scores: Layers
    rankings: Sequence[Layers]
    num_pruned: Mapping[str, Mapping[str, int]]


def make_case(share: int) -> Case:
    """Build the network, keep the first ``1/share`` of each layer, and plan."""
    torch.manual_seed(0)
    model = vgg11_cifar(num_classes=10)
    layers = prunable_layers(model)
    weights = {
        name: weight.flatten()[: weight.numel() // share].clone()
        for name, weight in weights_of(model, layers).items()
    }
    layers = [replace(x, num_weights=weights[x.name].numel()) for x in layers]
    gradient, curvature = ({k: torch.randn_like(x) for k, x in weights.items()} for _ in range(2))
    seen = observe(weights, Signals({}, gradient, curvature), targets=TARGETS)
    ranges = constrained_ranges(layers, ranges_from(layers, seen), RangeSettings())
    magnitudes = {name: x.abs() for name, x in weights.items()}
    return Case(
        weights,
        magnitudes,
        rankings=(
            magnitudes,
            {name: (x * gradient[name]).abs() for name, x in weights.items()},
            {name: x * curvature[name] for name, x in weights.items()},
        ),
        num_pruned={name: plan(name, layers, ranges).num_pruned for name in METHOD_TEN},
    )


def comparisons(case: Case) -> Sequence[Comparison]:
    """Return what is compared."""

    def masks() -> object:
        return keep_masks_of(case.scores, case.num_pruned)

    def rankings() -> object:
        return [global_num_pruned(scores, TARGETS) for scores in case.rankings]

    ten_masks, nine_rankings = "masks of ten strategies, VGG-11", "nine global rankings, VGG-11"
    return (
        Comparison(
            "masks/l1_unstructured",
            ten_masks,
            "`torch.nn.utils.prune.l1_unstructured` per layer, ten times",
            60.0,
            masks,
            lambda: prune_by_torch(case),
        ),
        Comparison(
            "masks/compare",
            ten_masks,
            "one `abs` pass and ten compare passes of torch (bandwidth)",
            0.25,
            masks,
            lambda: compare_ten_times(case),
        ),
        Comparison(
            "rankings/sort",
            nine_rankings,
            "nine `torch.sort` of the joined scores",
            10.0,
            rankings,
            lambda: [torch.sort(flat) for flat in nine_joined(case)],
        ),
    )


def prune_by_torch(case: Case) -> None:
    """Prune a module per layer and strategy: its masks come with the pruned weights."""
    for by_layer in case.num_pruned.values():
        for name, count in by_layer.items():
            module = nn.Module()
            module.weight = nn.Parameter(case.weights[name], requires_grad=False)
            prune.l1_unstructured(module, "weight", amount=count)


def compare_ten_times(case: Case) -> list[list[Tensor]]:
    """Read the weights once for their magnitudes, and these once per strategy, into masks."""
    thresholds = torch.linspace(0.01, 0.02, len(case.num_pruned)).tolist()
    magnitudes = [weight.abs() for weight in case.weights.values()]
    return [[scores > threshold for scores in magnitudes] for threshold in thresholds]


def nine_joined(case: Case) -> Iterator[Tensor]:
    """Yield the scores of each ranking for each target; joined once for all its targets."""
    for scores in case.rankings:
        flat = torch.cat(list(scores.values()))
        for _ in TARGETS:
            yield flat
