import shutil

import pytest

from mixmatch.errors import DataError
from tasks.data.image_folder import fingerprint, locate, read, read_validation, refuse_overlap


@pytest.fixture
def with_splits(tmp_path, animals):
    """Return a folder with a training and a test split."""
    root = tmp_path / "splits"
    shutil.copytree(animals, root / "train")
    shutil.copytree(animals, root / "test")
    return root


def test_class_folders_are_all_training_images(animals, pixel):
    raw = read(animals)
    assert raw.classes == ("cat", "dog")
    assert raw.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert {split: rows.tolist() for split, rows in raw.rows.items()} == {"train": [*range(6)]}
    assert [pixel(raw, row) for row in range(6)] == [10, 11, 12, 20, 21, 22]


def test_a_test_folder_becomes_the_test_split(with_splits):
    raw = read(with_splits)
    assert raw.rows["train"].tolist() == [*range(6)]
    assert raw.rows["test"].tolist() == [*range(6, 12)]
    assert raw.labels.tolist() == [0, 0, 0, 1, 1, 1] * 2


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_a_validation_folder_may_have_three_names(with_splits, animals, name):
    shutil.copytree(animals, with_splits / name)
    assert [*read(with_splits).rows] == ["train", "validation", "test"]


def test_two_validation_folders_are_refused(with_splits, animals):
    shutil.copytree(animals, with_splits / "val")
    shutil.copytree(animals, with_splits / "valid")
    with pytest.raises(DataError, match=r"one validation folder, found \['val', 'valid'\] in"):
        read(with_splits)


def test_a_class_may_be_called_train(animals, write_image):
    write_image(animals / "train/0.png", 0)
    assert read(animals).classes == ("cat", "dog", "train")


def test_splits_with_different_classes_are_refused(with_splits, write_image):
    (with_splits / "test/dog").rename(with_splits / "test/Dog")
    with pytest.raises(
        DataError, match=r"splits/test differs from .*/train: missing 'dog'; unknown 'Dog'\."
    ):
        read(with_splits)


def test_an_empty_class_folder_in_the_test_split_is_refused(with_splits):
    shutil.rmtree(with_splits / "test/dog")
    (with_splits / "test/dog").mkdir()
    with pytest.raises(DataError, match=r"splits/test/dog has none"):
        read(with_splits)


def test_the_digest_follows_content_and_names_but_not_the_place(animals, tmp_path, workspace):
    first = locate(animals, workspace)
    moved = shutil.copytree(animals, tmp_path / "elsewhere")
    assert locate(moved, workspace).source_digest == first.source_digest == read(moved).digest
    (moved / "cat/0.png").rename(moved / "cat/7.png")
    assert locate(moved, workspace).source_digest != first.source_digest


def test_a_located_folder_is_its_own_label(animals, workspace):
    located = locate(animals, workspace)
    assert (located.label, located.path) == (str(animals), str(animals))


def test_a_changed_image_changes_the_digest(animals, workspace, write_image):
    before = locate(animals, workspace)
    write_image(animals / "cat/0.png", 99)
    assert locate(animals, workspace).source_digest != before.source_digest


def test_a_corrupt_image_is_named_when_it_is_drawn(animals):
    (animals / "dog/1.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"dog/1\.png must be an image"):
        read(animals).draw(4)


def test_without_a_root_there_is_nothing_to_find(workspace):
    with pytest.raises(DataError, match=r"data\.root must name a folder"):
        locate(None, workspace)
    with pytest.raises(DataError, match=r"data\.root must name a folder"):
        read(None)


def test_validation_folders_are_one_split_with_a_digest(animals):
    raw = read_validation(animals)
    assert [*raw.rows] == ["train"]
    assert raw.digest == fingerprint(animals, "data.validation_root")


def test_a_missing_validation_folder_names_its_setting(tmp_path):
    with pytest.raises(DataError, match=r"data\.validation_root must be a folder of class folders"):
        read_validation(tmp_path / "no")


@pytest.mark.parametrize("name", ["train", "test"])
def test_validation_images_may_not_be_read_twice(with_splits, name):
    with pytest.raises(DataError, match=rf"splits/{name}, which is inside .*/splits/{name}\."):
        refuse_overlap(with_splits, with_splits / name)


def test_the_replaced_validation_folder_may_be_named(with_splits):
    refuse_overlap(with_splits, with_splits / "val")


def test_the_root_itself_is_no_validation_folder(animals):
    with pytest.raises(DataError, match=r"must lie outside the training and test images"):
        refuse_overlap(animals, animals)
