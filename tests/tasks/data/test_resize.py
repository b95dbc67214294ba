from typing import get_args

import numpy as np
import pytest
from PIL import Image

from mixmatch.config import DataSettings
from mixmatch.errors import DataError
from tasks.data.resize import INTERPOLATIONS, square, squares


def test_every_interpolation_of_the_settings_is_known():
    allowed = DataSettings.model_fields["interpolation"].annotation
    assert set(INTERPOLATIONS) == set(get_args(allowed))


def test_the_centre_of_a_wide_image_is_kept():
    pixels = np.array([[1, 2, 3, 4], [5, 6, 7, 8]], np.uint8)
    image = square(Image.fromarray(pixels), 2, 1, "bilinear")
    assert image[:, :, 0].tolist() == [[2, 3], [6, 7]]


def test_the_centre_of_a_tall_image_is_kept():
    pixels = np.array([[1, 2], [3, 4], [5, 6], [7, 8]], np.uint8)
    image = square(Image.fromarray(pixels), 2, 1, "nearest")
    assert image[:, :, 0].tolist() == [[3, 4], [5, 6]]


def test_shrinking_averages_instead_of_skipping_pixels():
    stripes = np.tile(np.array([0, 100], np.uint8), (8, 4))
    image = square(Image.fromarray(stripes), 2, 1, "bilinear")
    # A triangle over 8 pixels, cut at the border: 100 * (7 + 5 + 1) / (5 + 7 + 7 + 5 + 3 + 1).
    assert image[:, :, 0].tolist() == [[46, 54], [46, 54]]
    assert set(square(Image.fromarray(stripes), 2, 1, "nearest").flat) == {0}


def test_colour_becomes_grey_by_its_luma():
    image = square(Image.new("RGB", (8, 8), (100, 200, 50)), 8, 1, "bilinear")
    assert image.shape == (8, 8, 1)
    assert set(image.flat) == {153}  # 0.299 * 100 + 0.587 * 200 + 0.114 * 50 = 153.0


@pytest.mark.parametrize("mode", ["1", "L", "LA"])
def test_grey_is_repeated_to_three_channels(mode):
    draw = lambda row: Image.new("L", (8, 8), 255).convert(mode)  # noqa: E731
    (images,) = squares(draw, np.array([0]), size=8, channels=3, interpolation="bilinear")
    assert images.shape == (1, 8, 8, 3)
    assert set(images.flat) == {255}


def test_transparency_is_dropped():
    image = square(Image.new("RGBA", (8, 8), (1, 2, 3, 0)), 8, 3, "bilinear")
    assert image[0, 0].tolist() == [1, 2, 3]


def test_images_come_in_the_order_of_their_rows():
    rows = np.random.default_rng(0).permutation(3000) % 256
    parts = squares(
        lambda row: Image.new("L", (3, 3), row), rows, size=64, channels=3, interpolation="bicubic"
    )
    images = np.concatenate(list(parts))  # several chunks
    assert images.shape == (3000, 64, 64, 3)
    assert images[:, 0, 0, 0].tolist() == rows.tolist()


def test_an_error_in_a_thread_is_raised():
    def draw(row):
        raise DataError(f"image {row}")

    with pytest.raises(DataError, match="image 7"):
        list(squares(draw, np.array([7, 8]), size=8, channels=1, interpolation="bilinear"))
