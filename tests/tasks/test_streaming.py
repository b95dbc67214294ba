"""A data set that is larger than what may lie in memory: the same results, from its file."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from mixmatch.images import Preprocessing, StreamedImages, ordered_batches, shuffled_batches
from tasks import fetch
from tasks.fetch import IN_MEMORY_BYTES, load_split
from tests.tasks.test_member import Bench

SIDE = 128
NUM_IMAGES = 3 * IN_MEMORY_BYTES // (SIDE * SIDE * 3)
RAW = Preprocessing(mean=(0.5,) * 3, std=(0.5,) * 3)


@pytest.fixture
def large_file(tmp_path):
    """Return a data file with three times more images than may lie in memory; all are black."""
    ends = (8 * NUM_IMAGES, 16 * NUM_IMAGES, 16 * NUM_IMAGES + NUM_IMAGES * SIDE * SIDE * 3)
    shape = [NUM_IMAGES, SIDE, SIDE, 3]
    header = {
        "labels": {"dtype": "I64", "shape": [NUM_IMAGES], "data_offsets": [0, ends[0]]},
        "train": {"dtype": "I64", "shape": [NUM_IMAGES], "data_offsets": [ends[0], ends[1]]},
        "images": {"dtype": "U8", "shape": shape, "data_offsets": [ends[1], ends[2]]},
    }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path = tmp_path / "data.safetensors"
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + bytes(ends[0]))
        file.write(np.arange(NUM_IMAGES, dtype="<i8").tobytes())
        file.truncate(8 + len(text) + ends[2])  # a hole: it takes no space on disk
    return path


def own_bytes():
    """Return what this process holds that the system could not take from it and read again."""
    status = Path("/proc/self/status").read_text()
    (line,) = (x for x in status.splitlines() if x.startswith("RssAnon:"))
    return int(line.split()[1]) * 1024


def test_only_a_batch_of_a_large_split_is_in_memory(large_file):
    split = load_split(large_file, "train")
    shuffled = shuffled_batches(
        split, RAW, 64, augmentation="none", generator=torch.Generator().manual_seed(0)
    )
    both = (ordered_batches(split, RAW, 64), shuffled)
    for batches in both:  # what the first batch ever takes for good is not the data's
        next(iter(batches()))
    before, most = own_bytes(), 0
    for batches in both:
        for number, (images, _) in enumerate(batches()):
            assert images.shape == (64, 3, SIDE, SIDE)
            most = max(most, own_bytes() - before)
            if number == 70:
                break
    read_bytes = 71 * 64 * SIDE * SIDE * 3
    batch_bytes = 64 * SIDE * SIDE * 3 * 5  # as uint8 and as float32
    # How many batches the allocator holds on to depends on what ran before in this process.
    assert most < read_bytes / 2
    assert 5 * batch_bytes < read_bytes / 2


def test_what_fits_is_read_at_once(tmp_path):
    bench = Bench(tmp_path)
    split = load_split(bench.store.path(bench.data), "train")
    assert isinstance(split.images, torch.Tensor)
    assert split.images.shape == (40, 16, 16, 3)


def test_a_member_is_the_same_bit_for_bit_whether_its_images_are_streamed(tmp_path, monkeypatch):
    bench = Bench(tmp_path / "read")
    read = bench.make(bench.job())
    monkeypatch.setattr(fetch, "IN_MEMORY_BYTES", 0)
    bench = Bench(tmp_path / "streamed")
    split = load_split(bench.store.path(bench.data), "train")
    assert isinstance(split.images, StreamedImages)
    streamed = bench.make(bench.job())
    assert streamed.artifact == read.artifact
    assert streamed.test == read.test
