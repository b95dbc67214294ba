"""Data sets and checkpoints that a run file names in a bucket of a real server."""

import re

import pytest

from mixmatch.config import DataSettings, ModelSettings
from mixmatch.errors import CheckpointError, DataError
from tasks.checkpoint import locate_checkpoint
from tasks.data import locate_data
from tasks.site import Site
from tasks.workspace import Workspace
from tests.swift import BUCKET

pytestmark = pytest.mark.service

# SHA-256 of b"abc", from FIPS 180-4.
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.fixture
def workspace(tmp_path):
    return Workspace.open(tmp_path / "workspace")


def key_in(place, name):
    return f"{place.removeprefix(f's3://{BUCKET}/')}/{name}"


def test_a_checkpoint_is_named_by_its_address_and_digest(swift, s3_place, workspace):
    swift.client.put_object(Bucket=BUCKET, Key=key_in(s3_place, "best.pt"), Body=b"abc")
    settings = ModelSettings(architecture="resnet18", checkpoint=f"{s3_place}/best.pt")
    found = locate_checkpoint(settings, Site.at(workspace))
    assert (found.label, found.digest) == (f"{s3_place}/best.pt", ABC)
    assert found.path.startswith(str(workspace.root))
    assert found.path.endswith("/best.pt")


def test_a_missing_checkpoint_is_one_sentence(s3_place, workspace):
    settings = ModelSettings(architecture="resnet18", checkpoint=f"{s3_place}/best.pt")
    sentence = (
        "model.checkpoint must be an existing .safetensors, .pt or .pth file, here or at "
        f"s3://BUCKET/KEY, models:/NAME@alias, or timm, got '{s3_place}/best.pt', and there is no "
        "such object."
    )
    with pytest.raises(CheckpointError, match=f"^{re.escape(sentence)}$"):
        locate_checkpoint(settings, Site.at(workspace))


def test_a_missing_data_set_is_one_sentence(s3_place, workspace):
    sentence = (
        "data.root must be an existing folder or archive, here or at s3://BUCKET/KEY, got "
        f"'{s3_place}', and there is nothing."
    )
    with pytest.raises(DataError, match=f"^{re.escape(sentence)}$"):
        locate_data(DataSettings(name="image_folder", root=s3_place), workspace)


def test_a_bucket_that_does_not_exist_is_named_with_the_setting(s3_place, workspace):
    settings = DataSettings(name="image_folder", root="s3://nobody-has-it/images")
    with pytest.raises(DataError, match=r"^data\.root must be .*nobody-has-it.*NoSuchBucket"):
        locate_data(settings, workspace)


def test_equal_images_have_one_digest_wherever_they_lie(swift, s3_place, workspace, tmp_path):
    for name in ("a/1.png", "a/2.png", "b/1.png"):
        (tmp_path / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "images" / name).write_bytes(name.encode())
        swift.client.put_object(Bucket=BUCKET, Key=key_in(s3_place, name), Body=name.encode())
    here, there = (
        locate_data(DataSettings(name="image_folder", root=root), workspace)
        for root in (str(tmp_path / "images"), s3_place)
    )
    assert there.label == s3_place
    assert there.source_digest == here.source_digest


def test_validation_images_among_those_of_training_are_refused(swift, s3_place, workspace):
    for name in ("train/a/1.png", "train/b/1.png"):
        swift.client.put_object(Bucket=BUCKET, Key=key_in(s3_place, name), Body=b"x")
    settings = DataSettings(name="image_folder", root=s3_place, validation_root=f"{s3_place}/train")
    with pytest.raises(DataError, match=r"^data\.validation_root must lie outside"):
        locate_data(settings, workspace)
