import subprocess
import sys
from itertools import chain

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file

from mixmatch.config import DataSettings
from mixmatch.errors import DataError
from tasks.data import locate_data
from tasks.fetch import fetch_data, load_split
from tasks.jobs import data_job
from tasks.site import Site
from tasks.workspace import Workspace

SPLITS = ("train", "calibration", "validation", "test")


@pytest.fixture
def workspace(tmp_path):
    return Workspace.open(tmp_path / "workspace")


@pytest.fixture
def site(workspace):
    return Site.at(workspace)


@pytest.fixture
def folder(tmp_path):
    """Return two classes of 20 images of 16x8, each of one brightness of its own."""
    root = tmp_path / "images"
    for label, name in enumerate(("cat", "dog")):
        (root / name).mkdir(parents=True)
        for number in range(20):
            Image.new("L", (16, 8), 20 * label + number).save(root / name / f"{number:02}.png")
    return root


def fetch(settings, site, seed=0):
    located = locate_data(settings, site.open_workspace())
    job = data_job(settings, located.source_digest, 0.1, seed)
    return fetch_data(job, settings, located, site)


def of_folder(root, **settings):
    return DataSettings(name="image_folder", root=str(root), image_size=8, **settings)


def open_splits(record, site):
    path = site.open_store().path(record.artifact)
    return {split: load_split(path, split) for split in SPLITS}


def test_digits_are_fetched_as_the_record_says(site):
    record = fetch(DataSettings(name="digits", image_size=16), site)
    counts = {"train": 1165, "calibration": 129, "validation": 144, "test": 359}
    assert record.num_images == counts
    assert (record.name, record.source, record.image_shape) == ("digits", "embedded", (16, 16, 3))
    assert (record.classes, record.augmentation) == (tuple("0123456789"), "crop")
    assert (record.mean, record.std) == ((0.3053,) * 3, (0.3759,) * 3)


def test_splits_hold_different_images_and_lose_none(folder, site):
    splits = open_splits(fetch(of_folder(folder, channels=1), site), site)
    brightness = [x.images[:, 0, 0, 0].tolist() for x in splits.values()]
    assert sorted(chain.from_iterable(brightness)) == list(range(40))
    assert [len(x) for x in brightness] == [26, 3, 3, 8]


def test_labels_belong_to_their_images(folder, site):
    for split in open_splits(fetch(of_folder(folder), site), site).values():
        assert split.images.dtype == torch.uint8
        assert split.images.shape[1:] == (8, 8, 3)
        assert split.labels.tolist() == (split.images[:, 0, 0, 0] >= 20).long().tolist()


def test_images_that_no_split_uses_are_not_stored(folder, site):
    record = fetch(of_folder(folder, train_limit=10), site)
    stored = load_file(site.open_store().path(record.artifact))
    assert stored["images"].shape == (9 + 1 + 3 + 8, 8, 8, 3)
    assert sorted(np.concatenate([stored[x] for x in SPLITS])) == list(range(21))


def test_the_same_inputs_give_the_same_bytes_in_another_workspace(folder, site, tmp_path):
    other = Site.at(Workspace.open(tmp_path / "other"))
    assert fetch(of_folder(folder), site) == fetch(of_folder(folder), other)


def test_another_seed_gives_another_file(folder, site):
    first, second = (fetch(of_folder(folder), site, seed=seed).artifact for seed in (0, 1))
    assert first != second


def test_a_second_fetch_reads_the_store_only(folder, site):
    settings = of_folder(folder)
    located = locate_data(settings, site.open_workspace())
    job = data_job(settings, located.source_digest, 0.1, 0)
    record = fetch_data(job, settings, located, site)
    (folder / "cat/00.png").unlink()
    assert fetch_data(job, settings, located, site) == record


def test_a_damaged_file_in_the_store_is_made_again(folder, site):
    record = fetch(of_folder(folder), site)
    site.open_store().path(record.artifact).write_bytes(b"damaged")
    assert fetch(of_folder(folder), site) == record
    assert site.open_store().is_intact(record.artifact)


def test_a_corrupt_image_is_named_and_nothing_is_left(folder, site):
    (folder / "dog/07.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"dog/07\.png must be an image that can be decoded"):
        fetch(of_folder(folder), site)
    left = [x for x in site.open_store().root.rglob("*") if x.is_file()]
    assert left == []


def test_validation_images_of_their_own_leave_the_rest_for_training(folder, site, tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / "held_out" / name).mkdir(parents=True)
        Image.new("L", (8, 8), 255).save(tmp_path / "held_out" / name / "0.png")
    record = fetch(of_folder(folder, validation_root=str(tmp_path / "held_out")), site)
    assert record.num_images == {"train": 29, "calibration": 3, "validation": 2, "test": 8}
    assert set(open_splits(record, site)["validation"].images.flatten().tolist()) == {255}


def test_digits_may_be_validated_on_images_of_ones_own(site, tmp_path):
    for digit in range(10):
        (tmp_path / "own" / str(digit)).mkdir(parents=True)
        Image.new("RGB", (9, 9)).save(tmp_path / "own" / str(digit) / "0.png")
    settings = DataSettings(name="digits", image_size=8, validation_root=str(tmp_path / "own"))
    record = fetch(settings, site)
    assert record.num_images["validation"] == 10
    assert open_splits(record, site)["validation"].labels.tolist() == list(range(10))


def test_the_module_is_imported_without_anything_heavy():
    code = "import sys, tasks.fetch; print({'numpy', 'PIL', 'torch', 'sklearn'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
