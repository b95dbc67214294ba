"""Scores, plan and thirty masks of a ResNet-18, beside the way of the method's authors.

Theirs: every weight with its score is a line of a CSV file, which each strategy reads again to sort
it. That takes hours, so it is timed on one layer, once per repeat, and scaled by the number of
weights and of strategies: linear, which flatters a sort.
"""

import csv
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.ratios import Comparison
from mixmatch.config import RangeSettings
from mixmatch.criteria import score
from mixmatch.layers import prunable_layers, weights_of
from mixmatch.masks import keep_masks_of
from mixmatch.models import build_model
from mixmatch.observation import observe, ranges_from
from mixmatch.ranges import constrained_ranges
from mixmatch.records import ModelSpec
from mixmatch.signals import Signals
from mixmatch.strategies import METHOD_TEN, plan

CRITERIA = ("magnitude", "gradient", "product")
LAYER = "layer1.0.conv1"  # 36,864 weights


def comparison() -> Comparison:
    """Build the network and made-up gradients: time does not depend on them."""
    torch.manual_seed(0)
    model = build_model(spec_of("resnet18"))
    layers = prunable_layers(model)
    weights = {name: x.detach() for name, x in weights_of(model, layers).items()}
    mean, signed, curvature = ({k: torch.randn_like(x) for k, x in weights.items()} for _ in "123")
    signals = Signals({k: x.abs() for k, x in mean.items()}, signed, curvature)

    def ours() -> None:
        seen = observe(weights, signals, targets=(0.7, 0.8, 0.9))
        ranges = constrained_ranges(layers, ranges_from(layers, seen), RangeSettings())
        plans = {name: plan(name, layers, ranges).num_pruned for name in METHOD_TEN}
        for criterion in CRITERIA:
            keep_masks_of(score(criterion, weights, signals), plans)

    num_weights = sum(x.numel() for x in weights.values())
    scale = num_weights / weights[LAYER].numel() * len(CRITERIA)
    rows = list(enumerate(weights[LAYER].flatten().tolist()))
    return Comparison(
        "plan/csv",
        "scores, plan and thirty masks, ResNet-18, given gradients",
        f"one CSV line per weight, read again per strategy (timed on {LAYER}, scaled)",
        300.0,
        ours,
        lambda: scale * by_csv(rows),
    )


def by_csv(rows: list[tuple[int, float]]) -> float:
    """Write the scores of one layer, and read and sort them for ten strategies; seconds."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scores.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["layer", "index", "score"])
            writer.writerows((LAYER, index, abs(value)) for index, value in rows)
        for number in range(len(METHOD_TEN)):
            with path.open(newline="") as file:
                found = [(float(x["score"]), int(x["index"])) for x in csv.DictReader(file)]
            found.sort()
            keep = torch.ones(len(found))
            for _, index in found[: len(found) * number // len(METHOD_TEN)]:
                keep[index] = 0.0
    return time.perf_counter() - started


def spec_of(architecture: str) -> ModelSpec:
    """Return a network for 32x32 images of ten classes."""
    takes_size = architecture.startswith(("swin", "levit"))
    return ModelSpec(
        architecture=architecture,
        arguments={"img_size": 32} if takes_size else {},
        num_classes=10,
        image_shape=(32, 32, 3),
        mean=(0.5,) * 3,
        std=(0.5,) * 3,
        classes=tuple("0123456789"),
    )
