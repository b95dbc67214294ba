import numpy as np
import pytest
from safetensors.numpy import load_file

from tasks.data.data_file import write_data_file


def test_safetensors_reads_what_was_written(tmp_path):
    images = np.arange(3 * 2 * 2 * 3, dtype=np.uint8).reshape(3, 2, 2, 3)
    columns = {"labels": np.array([5, 6, 7]), "train": np.array([2, 0]), "test": np.array([1])}
    write_data_file(tmp_path / "x", [images[:1], images[1:]], images.shape, columns)
    read = load_file(tmp_path / "x")
    assert read["images"].tolist() == images.tolist()
    assert read["images"].dtype == np.uint8
    for name, column in columns.items():
        assert read[name].tolist() == column.tolist()
        assert read[name].dtype == np.int64


def test_neither_chunks_nor_the_order_of_columns_change_the_bytes(tmp_path):
    images = np.zeros((4, 2, 2, 1), np.uint8)
    a, b = np.array([1]), np.array([2, 3])
    write_data_file(tmp_path / "x", [images], images.shape, {"a": a, "b": b})
    write_data_file(tmp_path / "y", np.split(images, 4), images.shape, {"b": b, "a": a})
    assert (tmp_path / "x").read_bytes() == (tmp_path / "y").read_bytes()


def test_tensors_are_aligned(tmp_path):
    write_data_file(
        tmp_path / "x", [np.zeros((1, 1, 1, 1), np.uint8)], (1, 1, 1, 1), {"a": np.array([1])}
    )
    assert int.from_bytes((tmp_path / "x").read_bytes()[:8], "little") % 8 == 0


def test_missing_images_are_an_error(tmp_path):
    part = np.zeros((1, 2, 2, 1), np.uint8)
    with pytest.raises(ValueError, match=r"shape \(2, 2, 2, 1\) must have 8 bytes, got 4"):
        write_data_file(tmp_path / "x", [part], (2, 2, 2, 1), {})
