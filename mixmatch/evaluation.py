"""Top-1 accuracy of a network on a set of images, with its 95 % interval.

Shape suffixes: B batch, K classes.
"""

import base64
import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from mixmatch.errors import DataError, TrainingError
from mixmatch.execution import Autocast
from mixmatch.images import Batches
from mixmatch.records import Accuracy

_CONFIDENCE = 0.95


def evaluate(model: nn.Module, batches: Batches, *, autocast: Autocast | None = None) -> Accuracy:
    """Measure ``model`` on one pass over ``batches``, in eval mode; its mode is restored.

    The device is waited for once, at the end.

    Args:
        model: maps images (B, C, H, W) to scores (B, classes).
        batches: the images, on the model's device; their order is that of the recorded bits.
        autocast: context of the forward passes; None: none.

    Raises:
        DataError: ``batches`` is empty.
        TrainingError: the outputs are NaN or infinite.
    """
    with evaluating(model), torch.inference_mode():
        correct, loss_sum = _score(model, batches, autocast or nullcontext)
    if len(correct) == 0:
        raise DataError("An evaluation must read at least one image, got none.")
    loss = loss_sum / len(correct)
    if not math.isfinite(loss):
        raise TrainingError(
            f"A network must give finite outputs to be evaluated, got a mean loss of {loss}; its "
            "weights or its normalization statistics are damaged."
        )
    num_correct = int(correct.sum())
    low, high = wilson_interval(num_correct, len(correct))
    return Accuracy(
        num_correct=num_correct,
        num_images=len(correct),
        value=num_correct / len(correct),
        low=low,
        high=high,
        loss=loss,
        correct_bits=base64.b64encode(np.packbits(correct).tobytes()).decode(),
    )


def wilson_interval(num_correct: int, num_images: int) -> tuple[float, float]:
    """Return the 95 % Wilson interval of an accuracy, two fractions.

    Raises:
        DataError: ``num_images`` is 0, or ``num_correct`` is not between 0 and it.
    """
    if num_images < 1 or not 0 <= num_correct <= num_images:
        raise DataError(
            "An interval needs 0 <= num_correct <= num_images and an image, got "
            f"{num_correct} of {num_images}."
        )
    from scipy.stats import binomtest  # noqa: PLC0415  half a second that few commands need

    interval = binomtest(num_correct, num_images).proportion_ci(_CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def unpack_correct(accuracy: Accuracy) -> NDArray[np.bool_]:
    """Return which images were classified correctly: bool, shape (num_images,), in order."""
    packed = np.frombuffer(base64.b64decode(accuracy.correct_bits), dtype=np.uint8)
    return np.unpackbits(packed, count=accuracy.num_images).astype(np.bool_)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put ``model`` into eval mode for the body, then give every module its own mode back.

    Modules that cache something in eval mode have dropped it afterwards.
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        # timm's LeViT caches its attention biases in eval mode until train() is called; weights
        # that change meanwhile would be evaluated with the biases of before.
        model.train()
        for module, training in modes:
            module.training = training


def _score(
    model: nn.Module, batches: Batches, autocast: Autocast
) -> tuple[NDArray[np.bool_], float]:
    """Return which images are classified correctly, in order, and the sum of their losses."""
    correct: list[Tensor] = []
    losses: list[Tensor] = []
    for images, labels_B in batches():
        with autocast():
            outputs_BK = model(images)
        logits_BK = outputs_BK.float()
        correct.append(logits_BK.argmax(dim=1) == labels_B)
        losses.append(F.cross_entropy(logits_BK, labels_B, reduction="sum"))
    if not correct:
        return np.empty(0, dtype=np.bool_), 0.0
    return torch.cat(correct).cpu().numpy(), float(torch.stack(losses).double().sum())
