import numpy as np
import pytest
from PIL import Image

from mixmatch.errors import ConfigError, DataError
from tasks.data.raw import RawData, difference, in_order, with_validation


def raw_data(labels, classes, rows=None, brightness=0):
    return RawData(
        labels=np.array(labels),
        rows=rows or {"train": np.arange(len(labels))},
        classes=classes,
        draw=lambda row: Image.new("L", (1, 1), brightness + row),
        digest="d",
    )


def test_labels_follow_the_order_of_the_classes():
    raw = in_order(raw_data([0, 1, 2, 2], ("a", "b", "c")), ["c", "a", "b"])
    assert raw.classes == ("c", "a", "b")
    assert raw.labels.tolist() == [1, 2, 0, 0]


def test_an_order_with_other_names_is_refused():
    message = r"got 2 names for 2 classes: missing 'b'; unknown 'x'\."
    with pytest.raises(ConfigError, match=message):
        in_order(raw_data([0, 1], ("a", "b")), ["a", "x"])


def test_an_order_that_repeats_a_name_is_refused():
    with pytest.raises(ConfigError, match=r"got 3 names for 2 classes: repeated 'a'\."):
        in_order(raw_data([0, 1], ("a", "b")), ["a", "b", "a"])


def test_validation_images_are_appended_and_relabelled_by_name(pixel):
    raw = raw_data([0, 1], ("b", "a/c"))
    extra = raw_data([0, 1], ("a_c", "b"), brightness=100)
    joined = with_validation(raw, extra)
    assert joined.labels.tolist() == [0, 1, 1, 0]
    assert joined.rows["validation"].tolist() == [2, 3]
    assert [pixel(joined, row) for row in range(4)] == [0, 1, 100, 101]


def test_validation_images_replace_those_of_the_source():
    rows = {"train": np.array([0]), "validation": np.array([1])}
    joined = with_validation(raw_data([0, 1], ("a", "b"), rows), raw_data([0, 1], ("a", "b")))
    assert joined.rows["validation"].tolist() == [2, 3]
    assert joined.rows["train"].tolist() == [0]


def test_validation_images_of_other_classes_are_refused():
    with pytest.raises(
        DataError, match=r"validation_root must hold .*: missing 'b'; unknown 'x'\."
    ):
        with_validation(raw_data([0, 1], ("a", "b")), raw_data([0, 1], ("a", "x")))


def test_a_long_difference_is_cut_short():
    assert difference("abcdefg", "") == "missing 'a', 'b', 'c', 'd', 'e' and 2 more"
