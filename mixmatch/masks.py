"""Masks (phase 3): which weights of a layer go. Exact counts, stated ties, applied in place."""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from mixmatch.digests import json_digest
from mixmatch.errors import SparsityError, TrainingError
from mixmatch.layers import weight_of
from mixmatch.ranges import num_to_prune
from mixmatch.roles import PrunableLayer
from mixmatch.selection import (
    MOST_CUTS,
    MOST_SCORES,
    Cut,
    Keys,
    find_cuts,
    find_levels,
    lone_mask,
    marks_above,
)

__all__ = [
    "Masks",
    "apply_masks_",
    "check_masked",
    "count_nonzero",
    "global_num_pruned",
    "keep_mask",
    "keep_masks",
    "keep_masks_of",
    "mask_digest",
    "num_to_prune",
]

Masks = Mapping[str, Tensor]  # by layer name; bool, shape of the weight, True is kept


def keep_mask(scores: Tensor, num_pruned: int) -> Tensor:
    """Mark the weights to keep, pruning exactly ``num_pruned`` of those with the lowest scores.

    Among equal scores the earlier weight (flat index) goes first, so the same scores always give
    the same mask, and masks for growing ``num_pruned`` are nested. At least one weight stays:
    asked to prune all, it keeps the best. Linear in the number of weights.

    Args:
        scores: importance of each weight, any shape, finite.
        num_pruned: weights to prune, 0 to all.

    Returns:
        Bool tensor, shape and device of ``scores``; True is kept.

    Raises:
        SparsityError: ``num_pruned`` is negative or exceeds the number of weights.
        ScoreError: a score is NaN or infinite.
    """
    return _keep_masks(scores, [num_pruned], "scores")[num_pruned]


def keep_masks(scores: Mapping[str, Tensor], num_pruned: Mapping[str, int]) -> dict[str, Tensor]:
    """Return ``keep_mask`` of every layer of ``num_pruned``.

    Raises:
        SparsityError: a count is negative or exceeds the layer's number of weights.
        ScoreError: a score is NaN or infinite; the message names the layer.
    """
    return keep_masks_of(scores, {"": num_pruned})[""]


def keep_masks_of(
    scores: Mapping[str, Tensor], num_pruned: Mapping[str, Mapping[str, int]]
) -> dict[str, dict[str, Tensor]]:
    """Return ``keep_masks`` of many strategies, selected together: little more work than for one.

    Strategies that prune equally many weights of a layer share one tensor, so masks are not to be
    written to.

    Args:
        scores: by layer name; one criterion's, for all strategies.
        num_pruned: by strategy, then by layer name: weights to prune, 0 to all.

    Returns:
        By strategy, then by layer name: the mask; the order of ``num_pruned``.

    Raises:
        SparsityError: a count is negative or exceeds the layer's number of weights.
        ScoreError: a score is NaN or infinite; the message names the layer.
    """
    layers = dict.fromkeys(layer for by_layer in num_pruned.values() for layer in by_layer)
    masks = {
        layer: _keep_masks(
            scores[layer],
            {by_layer[layer] for by_layer in num_pruned.values() if layer in by_layer},
            f"scores of layer {layer}",
        )
        for layer in layers
    }
    return {
        strategy: {layer: masks[layer][count] for layer, count in by_layer.items()}
        for strategy, by_layer in num_pruned.items()
    }


def global_num_pruned(
    scores: Mapping[str, Tensor], targets: Sequence[float]
) -> dict[float, dict[str, int]]:
    """Count what each layer loses when the lowest scores over all layers go.

    At target t exactly ``round(t * N)`` of all N weights go; ties by layer, then flat index. A
    layer may lose all its weights. All targets are selected together, and scores are not joined.

    Args:
        scores: by layer name in registration order; finite, comparable between layers.
        targets: global sparsities, fractions in [0, 1].

    Returns:
        By target, then by layer name: the number of weights that go.

    Raises:
        SparsityError: a target is outside [0, 1].
        ScoreError: a score is NaN or infinite; the message names the layer.
    """
    for target in targets:
        if not 0.0 <= target <= 1.0:
            raise SparsityError("target", target)
    num_weights = sum(tensor.numel() for tensor in scores.values())
    counts = {target: round(target * num_weights) for target in targets}
    parts = {f"scores of layer {name}": tensor for name, tensor in scores.items()}
    found = find_cuts(parts, Keys.of(parts), (count for count in counts.values() if count))
    return {
        target: dict(zip(scores, _lost(found[count], count), strict=True))
        if count
        else dict.fromkeys(scores, 0)
        for target, count in counts.items()
    }


def _lost(cut: Cut, num_pruned: int) -> list[int]:
    """Share out a cut's ties in the order of its parts; return what each part loses."""
    num_ties_left = num_pruned - sum(cut.num_below.values())
    lost = []
    for part, num_equal in cut.num_equal.items():
        taken = min(num_ties_left, num_equal)
        lost.append(cut.num_below[part] + taken)
        num_ties_left -= taken
    return lost


def _keep_masks(scores: Tensor, num_pruned: Collection[int], what: str) -> dict[int, Tensor]:
    """Return the mask for every count."""
    num_weights = scores.numel()
    for count in num_pruned:
        if not 0 <= count <= num_weights:
            raise SparsityError("the share of weights to prune", count / num_weights)
    keys = Keys.of({what: scores})
    lowest = {count: min(count, num_weights - 1) for count in num_pruned}
    found = _masks(scores.detach().flatten(), keys, {n for n in lowest.values() if n})
    masks = {n: mask.view(scores.shape) for n, mask in found}
    if 0 in lowest.values():
        masks[0] = torch.ones(scores.shape, dtype=torch.bool, device=scores.device)
    return {count: masks[n] for count, n in lowest.items()}


def _masks(flat: Tensor, keys: Keys, counts: Collection[int]) -> Iterator[tuple[int, Tensor]]:
    """Yield the number of scores that go, and the mask; counts are neither 0 nor all."""
    if len(counts) == 1 and len(flat) <= MOST_SCORES and flat.is_cpu:
        (count,) = counts
        yield count, lone_mask(flat, count)
    else:
        yield from _masks_at(flat, keys, find_cuts({"scores": flat}, keys, counts))


def _masks_at(flat: Tensor, keys: Keys, cut_at: Mapping[int, Cut]) -> Iterator[tuple[int, Tensor]]:
    """Yield the number of scores that go at a cut, and the mask."""
    counts = list(cut_at)
    for start in range(0, len(counts), MOST_CUTS):
        some = counts[start : start + MOST_CUTS]
        staying = find_levels(flat, keys, {n: cut_at[n] for n in some})
        for step, count in enumerate(some):
            yield count, marks_above(staying, step)


@torch.no_grad()
def apply_masks_(model: nn.Module, masks: Masks) -> None:
    """Set every pruned weight of ``model`` to zero, in place; kept weights do not change.

    Raises:
        LayerError: a mask belongs to no prunable layer of ``model``.
    """
    for name, mask in masks.items():
        # Multiplying would leave -0.0, and NaN where a weight is not finite.
        weight_of(model, name).masked_fill_(~mask, 0.0)


def check_masked(model: nn.Module, masks: Masks) -> None:
    """Verify on the model's own tensors that every pruned weight is exactly zero.

    A kept weight may be zero by chance, so positions are compared, not totals.

    Raises:
        TrainingError: a pruned weight is not zero; the message names the layer and how many.
        LayerError: a mask belongs to no prunable layer of ``model``.
    """
    for name, mask in masks.items():
        # Picking the pruned weights out would take several times as long.
        num_revived = int(torch.count_nonzero((weight_of(model, name).detach() != 0) & ~mask))
        if num_revived:
            raise TrainingError(
                f"Layer {name} must keep its {int((~mask).sum())} pruned weights at zero, but "
                f"{num_revived} of them are not: masks must be applied after every optimizer step."
            )


def mask_digest(masks: Masks) -> str:
    """Return the SHA-256 of the masks' names, shapes and bits; the order of layers is ignored."""
    content: dict[str, object] = {}
    for name, mask in masks.items():
        bits = np.packbits(mask.flatten().cpu().numpy()).tobytes()
        content[name] = [list(mask.shape), hashlib.sha256(bits).hexdigest()]
    return json_digest(content)


def count_nonzero(model: nn.Module, layers: Iterable[PrunableLayer]) -> dict[str, int]:
    """Count the weights that are not zero (neither 0.0 nor -0.0), by layer name.

    Raises:
        LayerError: a layer is missing from ``model``.
    """
    return {x.name: int(torch.count_nonzero(weight_of(model, x.name).detach())) for x in layers}
