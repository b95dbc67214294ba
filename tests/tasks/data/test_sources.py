from dataclasses import fields
from typing import get_args

import numpy as np
import pytest
from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

from mixmatch.config import DataSettings
from mixmatch.config.data import Augmentation
from tasks.data import digits
from tasks.data.sources import SOURCES, DataSource


def test_every_name_of_the_settings_has_a_source():
    assert set(SOURCES) == set(get_args(DataSettings.model_fields["name"].annotation))


def test_keys_are_names():
    assert [source.name for source in SOURCES.values()] == list(SOURCES)


@pytest.fixture(params=SOURCES.values(), ids=SOURCES)
def source(request):
    return request.param


def test_normalization_fits_one_and_three_channels(source):
    for channels in (1, 3):
        mean, std = source.normalization(channels)
        assert (len(mean), len(std)) == (channels, channels)
        assert min(std) > 0


def test_augmentation_and_origin_are_stated(source):
    assert source.augmentation in get_args(Augmentation)
    assert source.source


def test_the_docstring_lists_the_fields():
    for field in fields(DataSource):
        assert f"    {field.name}: " in DataSource.__doc__


def test_folders_are_normalized_as_imagenet():
    mean, std = SOURCES["image_folder"].normalization(3)
    assert (mean, std) == (IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD)


def test_colour_is_averaged_for_grey_images():
    assert SOURCES["image_folder"].normalization(1) == ((0.449,), (0.226,))


def test_grey_is_repeated_for_three_channels():
    assert SOURCES["digits"].normalization(3) == ((0.3053,) * 3, (0.3759,) * 3)


def test_the_numbers_of_digits_are_those_of_their_images():
    raw = digits.read(None)
    pixels = np.stack([np.asarray(raw.draw(row)) for row in range(len(raw.labels))]) / 255
    assert (round(pixels.mean(), 4), round(pixels.std(), 4)) == (0.3053, 0.3759)


@pytest.mark.parametrize("name", ["digits", "gtsrb", "image_folder"])
def test_digits_signs_and_images_of_unknown_content_are_never_flipped(name):
    assert SOURCES[name].augmentation == "crop"


@pytest.mark.parametrize("name", ["fashion_mnist", "cifar10", "cifar100"])
def test_clothes_and_objects_are_flipped(name):
    assert SOURCES[name].augmentation == "crop_flip"


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "gtsrb"])
def test_colour_photographs_have_the_spread_of_photographs(name):
    mean, std = SOURCES[name].normalization(3)
    assert all(0.3 < x < 0.55 for x in mean)
    # A mean of the images' own deviations, a common mistake, lies near 0.2 for CIFAR.
    assert all(0.24 < x < 0.28 for x in std)
