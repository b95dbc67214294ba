import numpy as np
import torch

from mixmatch.images import ImageSet
from tasks.onnx_files import evenly_spaced, pixels


def test_pixels_are_fractions_with_channels_first():
    images = torch.tensor([[[[0, 51], [102, 255]]]], dtype=torch.uint8)  # 1 x 1 x 2 x 2
    found = pixels(images)
    assert (found.dtype, found.shape, found.flags.c_contiguous) == (np.float32, (1, 2, 1, 2), True)
    assert found.tolist() == np.float32([[[[0.0, 0.4]], [[0.2, 1.0]]]]).tolist()


def test_images_are_taken_from_everywhere_in_order():
    data = ImageSet(torch.arange(10, dtype=torch.uint8).view(10, 1, 1, 1), torch.arange(10) * 2)
    found = evenly_spaced(data, 4)
    assert found.images.flatten().tolist() == [0, 3, 6, 9]
    assert found.labels.tolist() == [0, 6, 12, 18]


def test_few_images_are_all_taken():
    data = ImageSet(torch.zeros(3, 1, 1, 1, dtype=torch.uint8), torch.arange(3))
    assert evenly_spaced(data, 3) is data
