"""Masks (phase 3): which weights of a layer go. Exact counts, stated ties, enforced in place."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mixmatch.digests import json_digest
from mixmatch.errors import ScoreError, SparsityError, TrainingError
from mixmatch.layers import weight_of
from mixmatch.ranges import num_to_prune
from mixmatch.roles import PrunableLayer

__all__ = [
    "MaskEnforcer",
    "Masks",
    "apply_masks_",
    "check_masked",
    "count_nonzero",
    "global_num_pruned",
    "keep_mask",
    "keep_masks",
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
    return _keep_mask(scores, num_pruned, "scores")


def keep_masks(scores: Mapping[str, Tensor], num_pruned: Mapping[str, int]) -> dict[str, Tensor]:
    """Return ``keep_mask`` of every layer of ``num_pruned``.

    Raises:
        SparsityError: a count is negative or exceeds the layer's number of weights.
        ScoreError: a score is NaN or infinite; the message names the layer.
    """
    return {
        name: _keep_mask(scores[name], count, f"scores of layer {name}")
        for name, count in num_pruned.items()
    }


def global_num_pruned(
    scores: Mapping[str, Tensor], targets: Sequence[float]
) -> dict[float, dict[str, int]]:
    """Count what each layer loses when the lowest scores over all layers go.

    At target t exactly ``round(t * N)`` of all N weights go; ties by layer, then flat index. A
    layer may lose all its weights. One partial sort serves all targets.

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
    for name, tensor in scores.items():
        _check_finite(tensor, f"scores of layer {name}")
    flat = {name: tensor.detach().flatten().cpu().numpy() for name, tensor in scores.items()}
    num_weights = sum(values.size for values in flat.values())
    counts = {target: round(target * num_weights) for target in targets}
    ordered = np.concatenate(list(flat.values()))
    _partition_(ordered, [count - 1 for count in counts.values() if count])
    return {
        target: _lost_below(flat, ordered[count - 1], count) if count else dict.fromkeys(flat, 0)
        for target, count in counts.items()
    }


def _keep_mask(scores: Tensor, num_pruned: int, what: str) -> Tensor:
    if not 0 <= num_pruned <= scores.numel():
        raise SparsityError("the share of weights to prune", num_pruned / scores.numel())
    _check_finite(scores, what)
    num_pruned = min(num_pruned, scores.numel() - 1)
    if num_pruned == 0:
        return torch.ones(scores.shape, dtype=torch.bool, device=scores.device)
    flat = scores.detach().flatten()
    highest_pruned = _kth_smallest(flat, num_pruned)
    keep = flat > highest_pruned
    tied = (flat == highest_pruned).nonzero().flatten()
    num_tied_kept = flat.numel() - num_pruned - int(keep.sum())
    keep[tied[len(tied) - num_tied_kept :]] = True
    return keep.view(scores.shape)


def _partition_(values: NDArray[np.floating], places: Iterable[int]) -> None:
    """Put at each of ``places`` what a sort would put there."""
    end = values.size
    # One by one from the top, each below the last: numpy is slower given all places at once.
    for place in sorted(set(places), reverse=True):
        values[:end].partition(place)
        end = place


def _lost_below(
    flat: Mapping[str, NDArray[np.floating]], highest_pruned: np.floating, num_pruned: int
) -> dict[str, int]:
    """Count per layer the scores below a threshold, and share out the ties in layer order."""
    lost = {name: int(np.count_nonzero(values < highest_pruned)) for name, values in flat.items()}
    num_ties_left = num_pruned - sum(lost.values())
    for name, values in flat.items():
        if num_ties_left == 0:
            break
        taken = min(num_ties_left, int(np.count_nonzero(values == highest_pruned)))
        lost[name] += taken
        num_ties_left -= taken
    return lost


def _kth_smallest(flat: Tensor, k: int) -> Tensor:
    if flat.device.type == "cpu" and flat.dtype in (torch.float32, torch.float64):
        # The same number as kthvalue, many times faster.
        return torch.from_numpy(np.partition(flat.numpy(), k - 1)[k - 1 : k])[0]
    return flat.kthvalue(k).values


def _check_finite(scores: Tensor, what: str) -> None:
    if not torch.isfinite(scores).all():
        raise ScoreError(
            f"The {what} must be finite to be ranked, got NaN or infinity in a tensor of shape "
            f"{tuple(scores.shape)}."
        )


@torch.no_grad()
def apply_masks_(model: nn.Module, masks: Masks) -> None:
    """Set every pruned weight of ``model`` to zero, in place; kept weights do not change.

    Raises:
        LayerError: a mask belongs to no prunable layer of ``model``.
    """
    for name, mask in masks.items():
        # Multiplying would leave -0.0, and NaN where a weight is not finite.
        weight_of(model, name).masked_fill_(~mask, 0.0)


class MaskEnforcer:
    """Keeps the pruned weights of one model at zero; call it after every optimizer step.

    Fast: one fused call over the layers that lose anything, on masks laid out like the weights.
    It holds the model's parameters, so the model must not be moved or converted meanwhile. A zero
    may carry a minus sign; ``apply_masks_`` clears it.

    Raises:
        LayerError: a mask belongs to no prunable layer of the model.
    """

    def __init__(self, model: nn.Module, masks: Masks) -> None:
        """Lay out one factor tensor of zeros and ones per pruned layer, as large as its weight."""
        pruned = [(weight_of(model, name), mask) for name, mask in masks.items() if not mask.all()]
        self._weights = [weight.detach() for weight, _ in pruned]
        self._factors = [torch.empty_like(weight).copy_(mask) for weight, mask in pruned]

    @torch.no_grad()
    def __call__(self) -> None:
        """Zero the pruned weights again, in place."""
        if self._weights:
            torch._foreach_mul_(self._weights, self._factors)


def check_masked(model: nn.Module, masks: Masks) -> None:
    """Verify on the model's own tensors that every pruned weight is exactly zero.

    A kept weight may be zero by chance, so positions are compared, not totals.

    Raises:
        TrainingError: a pruned weight is not zero; the message names the layer and how many.
        LayerError: a mask belongs to no prunable layer of ``model``.
    """
    for name, mask in masks.items():
        num_revived = int(torch.count_nonzero(weight_of(model, name).detach()[~mask]))
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
