import numpy as np
import pytest

from mixmatch.errors import DataError
from tasks.data import digits


def test_they_are_found_without_reading_anything(workspace):
    located = digits.locate(None, workspace)
    assert (located.label, located.path) == ("embedded", None)
    assert located.source_digest == digits.read(None).digest


def test_all_1797_images_are_for_training():
    raw = digits.read(None)
    assert raw.classes == tuple("0123456789")
    assert [*raw.rows] == ["train"]
    assert np.bincount(raw.labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_pixels_are_scaled_from_16_to_255():
    # The first row of the first image, a zero, is 0 0 5 13 9 1 0 0 in the published file.
    image = digits.read(None).draw(0)
    assert (image.mode, image.size) == ("L", (8, 8))
    assert np.asarray(image)[0].tolist() == [0, 0, 80, 207, 143, 16, 0, 0]


def test_other_digits_in_scikit_learn_are_refused(monkeypatch):
    monkeypatch.setattr(digits, "_DIGEST", "0" * 64)
    with pytest.raises(DataError, match=r"digits must have SHA-256 0{64}, got 87ff0c9e"):
        digits.read(None)
