import shutil

import pytest

from mixmatch.config import DataSettings
from mixmatch.errors import ConfigError, DataError
from tasks.data import LocatedData, locate_data, read_data


@pytest.fixture
def held_out(tmp_path, write_image):
    """Return validation images of the two animals."""
    for name in ("cat", "dog"):
        write_image(tmp_path / "held_out" / name / "0.png", 200)
    return tmp_path / "held_out"


def of_folder(root, **settings):
    return DataSettings(name="image_folder", root=str(root), **settings)


def test_digits_are_embedded(workspace):
    assert locate_data(DataSettings(name="digits"), workspace).label == "embedded"


def test_the_fields_survive_json(workspace):
    located = locate_data(DataSettings(name="digits"), workspace)
    assert LocatedData.model_validate_json(located.model_dump_json()) == located


def test_a_relative_root_becomes_absolute(animals, workspace, monkeypatch):
    monkeypatch.chdir(animals.parent)
    assert locate_data(of_folder("animals"), workspace).path == str(animals)


def test_validation_images_are_part_of_the_digest_and_of_the_label(animals, held_out, workspace):
    plain = locate_data(of_folder(animals), workspace)
    located = locate_data(of_folder(animals, validation_root=str(held_out)), workspace)
    assert located.label == f"{animals} (validation: {held_out})"
    assert located.source_digest != plain.source_digest


def test_a_changed_validation_image_changes_the_digest(animals, held_out, workspace, write_image):
    settings = of_folder(animals, validation_root=str(held_out))
    before = locate_data(settings, workspace)
    write_image(held_out / "cat/0.png", 201)
    assert locate_data(settings, workspace).source_digest != before.source_digest


def test_validation_images_may_not_be_training_images(animals, workspace):
    with pytest.raises(DataError, match=r"data\.validation_root must lie outside the training"):
        locate_data(of_folder(animals, validation_root=str(animals)), workspace)


def test_a_missing_validation_folder_is_named(animals, workspace, tmp_path):
    with pytest.raises(DataError, match=r"data\.validation_root must be a folder of class folders"):
        locate_data(of_folder(animals, validation_root=str(tmp_path / "no")), workspace)


def test_validation_images_become_the_validation_split(animals, held_out, workspace):
    settings = of_folder(animals, validation_root=str(held_out))
    raw = read_data(settings, locate_data(settings, workspace))
    assert raw.rows["validation"].tolist() == [6, 7]
    assert raw.labels.tolist() == [0, 0, 0, 1, 1, 1, 0, 1]


def test_classes_are_put_in_the_order_of_the_settings(animals, held_out, workspace):
    settings = of_folder(animals, validation_root=str(held_out), classes=("dog", "cat"))
    raw = read_data(settings, locate_data(settings, workspace))
    assert raw.classes == ("dog", "cat")
    assert raw.labels.tolist() == [1, 1, 1, 0, 0, 0, 1, 0]


def test_an_order_of_other_classes_is_refused(animals, workspace):
    settings = of_folder(animals, classes=("dog", "cow"))
    with pytest.raises(ConfigError, match=r"data\.classes .*: missing 'cat'; unknown 'cow'\."):
        read_data(settings, locate_data(settings, workspace))


def test_a_source_that_changes_before_it_is_read_is_refused(animals, workspace):
    settings = of_folder(animals)
    located = locate_data(settings, workspace)
    (animals / "dog/2.png").unlink()
    with pytest.raises(
        DataError, match=rf"must stay as it was found \(SHA-256 {located.source_digest}"
    ):
        read_data(settings, located)


def test_a_source_that_is_gone_before_it_is_read_is_refused(animals, workspace):
    settings = of_folder(animals)
    located = locate_data(settings, workspace)
    shutil.rmtree(animals)
    with pytest.raises(DataError, match=r"data\.root must be a folder .* is not there"):
        read_data(settings, located)
