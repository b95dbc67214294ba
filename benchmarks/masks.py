"""Masks and global rankings beside what people would use instead, on the CPU.

    python benchmarks/masks.py [--quick] [--repeats N]

VGG-11 with 28.1M parameters, its weights as drawn and made-up gradients: time depends on neither.
The ten strategies are those that its own ranges give. In every repeat all works run in turn; a
ratio is taken within a repeat, and the table has the median over the repeats and the range. With
--quick, about ten seconds: a sixteenth of every layer and two repeats, to compare with the same
only, as the goals are for the whole network.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from mixmatch.config import RangeSettings
from mixmatch.layers import prunable_layers, weights_of
from mixmatch.masks import global_num_pruned, keep_masks_of
from mixmatch.observation import observe, ranges_from
from mixmatch.ranges import constrained_ranges
from mixmatch.signals import Signals
from mixmatch.strategies import METHOD_TEN, plan
from mixmatch.vgg import vgg11_cifar
from tasks.study.machine import Machine

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


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two ways to do one work.

    Attributes:
        work: what is done.
        peer: what does it instead of us.
        goal: the stated limit of the ratio.
        ours: does the work.
        theirs: does it as the peer.
    """

    work: str
    peer: str
    goal: str
    ours: Callable[[], object]
    theirs: Callable[[], object]


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description="Masks and global rankings beside their peers.")
    parser.add_argument("--quick", action="store_true", help="small layers, two repeats")
    parser.add_argument("--repeats", type=int, help="how often all works run in turn")
    arguments = parser.parse_args()
    case = make_case(QUICK_SHARE if arguments.quick else 1)
    print(conditions(case) + "\n")
    print("| work | beside | ours, s | beside, s | beside / ours | goal |")
    print("|---|---|---|---|---|---|")
    for row in rows(comparisons(case), arguments.repeats or (2 if arguments.quick else 5)):
        print(row)


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

    ten_masks, nine_rankings = "masks of ten strategies", "nine global rankings"
    return (
        Comparison(
            ten_masks,
            "`torch.nn.utils.prune.l1_unstructured` per layer, ten times",
            ">= 60",
            masks,
            lambda: prune_by_torch(case),
        ),
        Comparison(
            ten_masks,
            "one `abs` pass and ten compare passes of torch",
            ">= 0.25",
            masks,
            lambda: compare_ten_times(case),
        ),
        Comparison(
            nine_rankings,
            "nine `torch.sort` of the joined scores",
            ">= 10",
            rankings,
            lambda: [torch.sort(flat) for flat in nine_joined(case)],
        ),
        Comparison(
            nine_rankings,
            "nine `numpy.sort` of the joined scores (vector instructions)",
            "-",
            rankings,
            lambda: [np.sort(flat.numpy()) for flat in nine_joined(case)],
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


def rows(compared: Sequence[Comparison], num_repeats: int) -> Iterator[str]:
    """Measure all in turn, ``num_repeats`` times after a first time for us, and yield the lines."""
    seconds: list[list[tuple[float, float]]] = [[] for _ in compared]
    for ours in {comparison.ours for comparison in compared}:
        ours()
    for _ in range(num_repeats):
        for comparison, measured in zip(compared, seconds, strict=True):
            measured.append((timed(comparison.ours), timed(comparison.theirs)))
    for comparison, measured in zip(compared, seconds, strict=True):
        ratios = [theirs / ours for ours, theirs in measured]
        medians = [statistics.median(column) for column in zip(*measured, strict=True)]
        yield (
            f"| {comparison.work} | {comparison.peer} | {medians[0]:.3f} | {medians[1]:.3f} | "
            f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f}) | "
            f"{comparison.goal} |"
        )


def timed(work: Callable[[], object]) -> float:
    """Return how long ``work`` takes, seconds, with the release of its result."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def conditions(case: Case) -> str:
    """Say where and on what it was measured."""
    machine = Machine.here()
    num_weights = sum(x.numel() for x in case.weights.values())
    return (
        f"{machine.hardware}, {torch.get_num_threads()} threads; "
        f"torch {machine.versions['torch']}, numpy {machine.versions['numpy']}. "
        f"VGG-11, {num_weights / 1e6:.1f}M prunable weights."
    )


if __name__ == "__main__":
    main()
