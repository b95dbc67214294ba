"""Labelled images as uint8, and how they become batches that a network reads.

Shape suffixes: N images, H height, W width, C channels, B batch.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

Batch = tuple[Tensor, Tensor]  # images (B, C, H, W) float32 channels-last, labels (B,) int64
Batches = Callable[[], Iterable[Batch]]  # each call starts a new pass

_CROP_PADDING_FRACTION = 8  # pad by 1/8 of the side, as 4 pixels on 32 (He et al. 2016)


Rows: TypeAlias = "slice | Tensor"


class Images(Protocol):
    """Images that are handed out in parts: a tensor, or what reads them from a file."""

    def __getitem__(self, rows: Rows, /) -> Tensor:
        """Return some of them, uint8, shape (n, H, W, C)."""

    def to(self, device: str, /) -> "Images":
        """Return the same images, handed out on ``device``."""


@dataclass(frozen=True, slots=True)
class StreamedImages:
    """Images that stay in their file until a batch asks for them.

    Attributes:
        mapped: uint8, shape (M, H, W, C), a tensor that is mapped from a file.
        rows: int64, shape (N,), on the CPU: which of them, in this order.
        device: where they are handed out.
    """

    mapped: Tensor
    rows: Tensor
    device: str = "cpu"

    def __getitem__(self, rows: Rows, /) -> Tensor:
        """Read some of them."""
        wanted = rows.cpu() if isinstance(rows, Tensor) else rows
        return self.mapped[self.rows[wanted]].to(self.device)

    def to(self, device: str, /) -> "StreamedImages":
        """Return the same images, handed out on ``device``; nothing is read."""
        return replace(self, device=device)


@dataclass(frozen=True, slots=True)
class ImageSet:
    """Images with their labels.

    Attributes:
        images: uint8, shape (N, H, W, C), C is 1 or 3.
        labels: int64, shape (N,), each in [0, number of classes).
    """

    images: Images
    labels: Tensor

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.labels)


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How uint8 images become what the network was trained on.

    Attributes:
        mean: per channel, for images in [0, 1].
        std: per channel, for images in [0, 1], above 0.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, images_BHWC: Tensor) -> Tensor:
        """Return float32 images (B, C, H, W), channels-last in memory, normalized."""
        images = images_BHWC.permute(0, 3, 1, 2).float()
        mean, std = (
            torch.tensor(x, device=images.device).view(1, -1, 1, 1) for x in (self.mean, self.std)
        )
        return images.sub_(mean * 255).div_(std * 255)


def ordered_batches(
    data: ImageSet, prepare: Preprocessing, batch_size: int, num_images: int | None = None
) -> Batches:
    """Return passes over ``data`` in order, unaugmented; the last batch may be smaller.

    Args:
        num_images: only so many, from the front; None: all.
    """
    end = len(data) if num_images is None else min(num_images, len(data))

    def batches() -> Iterator[Batch]:
        for start in range(0, end, batch_size):
            part = slice(start, min(start + batch_size, end))
            yield prepare(data.images[part]), data.labels[part]

    return batches


def shuffled_batches(
    data: ImageSet,
    prepare: Preprocessing,
    batch_size: int,
    *,
    augmentation: str,
    generator: torch.Generator,
) -> Batches:
    """Return passes over ``data``, each shuffled and augmented anew from ``generator``.

    A last batch of a single image is dropped: batch normalization cannot train on it.

    Args:
        augmentation: ``none``, ``crop`` (reflected padding of 1/8 of the side, then a random crop)
            or ``crop_flip`` (the same, then flipped left-right with probability 1/2).
        generator: a CPU generator; the course of a run depends on nothing else.
    """

    def batches() -> Iterator[Batch]:
        order = torch.randperm(len(data), generator=generator).to(data.labels.device)
        for start in range(0, len(data), batch_size):
            rows = order[start : start + batch_size]
            if len(rows) == 1 and len(data) > 1:
                return
            images = augment(prepare(data.images[rows]), augmentation, generator)
            yield images, data.labels[rows]

    return batches


def augment(images_BCHW: Tensor, augmentation: str, generator: torch.Generator) -> Tensor:
    """Return a randomly cropped (and flipped) copy of a batch, channels-last in memory."""
    if augmentation == "none":
        return images_BCHW
    num_images, _, height, width = images_BCHW.shape
    pad = max(1, min(height, width) // _CROP_PADDING_FRACTION)
    padded = F.pad(images_BCHW, (pad, pad, pad, pad), mode="reflect").permute(0, 2, 3, 1)

    def draw(limit: int) -> Tensor:
        return torch.randint(limit, (num_images,), generator=generator).to(images_BCHW.device)

    rows = draw(2 * pad + 1)[:, None] + torch.arange(height, device=images_BCHW.device)
    columns = draw(2 * pad + 1)[:, None] + torch.arange(width, device=images_BCHW.device)
    if augmentation == "crop_flip":
        columns = torch.where(draw(2)[:, None].bool(), columns.flip(1), columns)
    first = torch.arange(num_images, device=images_BCHW.device)[:, None, None]
    return padded[first, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
