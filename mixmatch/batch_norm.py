"""Batch-norm statistics measured anew, because those of the dense network do not fit a pruned one.

Costs one forward pass over a few thousand images, and on networks with batch norm recovers most
of what a mask takes away (METHOD, section 8).
"""

from collections.abc import Iterator
from contextlib import nullcontext
from itertools import chain

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mixmatch.errors import DataError
from mixmatch.evaluation import evaluating
from mixmatch.execution import Autocast
from mixmatch.images import Batch, Batches


def reestimate_batch_norm_(
    model: nn.Module, batches: Batches, *, autocast: Autocast | None = None
) -> None:
    """Replace the running statistics of ``model`` by the average over ``batches``, in place.

    Reset, then a cumulative average over batches in which every image counts the same: of the
    batches' means, and of their unbiased variances, which torch accumulates too. (What lies between
    the batches' means is thus in no variance.) Only batch-norm modules run in train mode, so
    dropout does not disturb the statistics. Does nothing, and reads no image, where the model keeps
    no batch-norm statistics. Modes and momenta are restored.

    Args:
        model: changed in place: running means, variances and batch counts; nothing else.
        batches: unaugmented training images. A batch of a single image is passed over: it may
            have no variance.
        autocast: context of the forward passes, that of the evaluations to come; None: none.

    Raises:
        DataError: no batch holds two images; the statistics are then unchanged.
    """
    norms = _norms(model)
    if not norms:
        return
    usable = _usable(batches)
    averages = [_Average(norm) for norm in norms]
    with evaluating(model), torch.no_grad():
        try:
            for norm in norms:
                norm.reset_running_stats()
                norm.train()
            for images, labels in usable:
                for average in averages:
                    average.batch_size = len(labels)
                with (autocast or nullcontext)():
                    model(images)
        finally:
            for average in averages:
                average.close()


def has_batch_norm(model: nn.Module) -> bool:
    """Say whether ``model`` keeps batch-norm statistics."""
    return bool(_norms(model))


def _norms(model: nn.Module) -> list[_BatchNorm]:
    return [x for x in model.modules() if isinstance(x, _BatchNorm) and x.track_running_stats]


class _Average:
    """Makes one module's statistics a cumulative average, however often a pass calls it.

    Each call moves them by the share of its images in all that this module has seen.
    """

    def __init__(self, norm: _BatchNorm) -> None:
        self.batch_size = 0
        self._norm, self._momentum, self._num_images = norm, norm.momentum, 0
        self._hook = norm.register_forward_pre_hook(self._before_call)

    def _before_call(self, norm: nn.Module, inputs: object) -> None:
        del inputs
        self._num_images += self.batch_size
        self._norm.momentum = self.batch_size / self._num_images

    def close(self) -> None:
        """Leave the module as it was, but for its statistics."""
        self._hook.remove()
        self._norm.momentum = self._momentum


def _usable(batches: Batches) -> Iterator[Batch]:
    """Return one pass over the batches of two images or more; the first is read at once."""
    usable = (batch for batch in batches() if len(batch[1]) > 1)
    first = next(usable, None)
    if first is None:
        raise DataError(
            "Batch-norm statistics must be re-estimated on batches of at least 2 images, got none."
        )
    return chain([first], usable)
