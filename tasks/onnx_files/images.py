"""Images as ONNX networks take them.

Shape suffixes: N images, C channels, H height, W width.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mixmatch.images import ImageSet


def pixels(images_NHWC: Tensor) -> NDArray[np.float32]:
    """Return uint8 images as float32 (N, C, H, W) in [0, 1], which the networks normalize."""
    images: NDArray[np.uint8] = images_NHWC.permute(0, 3, 1, 2).contiguous().cpu().numpy()
    return images.astype(np.float32) / np.float32(255)


def evenly_spaced(data: ImageSet, at_most: int) -> ImageSet:
    """Return at most so many of the images, in order and from everywhere in it.

    The first ones of a split that is sorted by class would be of few classes.
    """
    if len(data) <= at_most:
        return data
    rows = torch.linspace(0, len(data) - 1, at_most, dtype=torch.float64).round().long()
    return ImageSet(data.images[rows], data.labels[rows])
