"""Where things are, as OpenLineage writes it; credentials are no part of a place."""

import pytest

from tasks.checkpoint import LocatedCheckpoint
from tasks.data import LocatedData
from tasks.lineage_events.places import (
    Place,
    checkpoint_place,
    data_place,
    place_of,
    stored_place,
    version_place,
)

REGISTRY = "https://me:hunter2@mlflow.example.org:5000"


@pytest.mark.parametrize(
    ("source", "namespace", "name"),
    [
        ("/data/photos?x#y", "file", "/data/photos?x#y"),
        ("s3://lab/data/photos", "s3://lab", "data/photos"),
        ("s3://lab", "s3://lab", "/"),
        ("https://example.org/a/b.zip", "https://example.org", "a/b.zip"),
        ("https://me:hunter2@example.org/a?token=hunter2", "https://example.org", "a"),
    ],
)
def test_a_source_has_a_namespace_and_a_name(source, namespace, name):
    assert place_of(source) == Place(namespace, name)


def test_an_embedded_data_set_is_ours():
    data = LocatedData(label="embedded", source_digest="d", path=None)
    assert data_place("digits", data) == Place("mixmatch", "data/digits")


def test_a_data_set_with_images_for_validation_is_where_its_own_are():
    data = LocatedData(label="/a (validation: /b)", source_digest="d", path="/a")
    assert data_place("image_folder", data) == Place("file", "/a")


@pytest.mark.parametrize(
    ("label", "path", "namespace", "name"),
    [
        ("best.pt", "/models/best.pt", "file", "/models/best.pt"),
        ("timm:resnet18", None, "timm", "resnet18"),
        ("s3://lab/best.pt", "/copy/best.pt", "s3://lab", "best.pt"),
        ("models:/net/7", "/copy/net", "https://mlflow.example.org:5000", "models:/net/7"),
    ],
)
def test_a_checkpoint_is_where_it_came_from(label, path, namespace, name):
    checkpoint = LocatedCheckpoint(label=label, digest="c", path=path)
    assert checkpoint_place(checkpoint, REGISTRY) == Place(namespace, name)


def test_a_version_is_named_as_the_run_that_starts_from_it_names_it():
    checkpoint = LocatedCheckpoint(label="models:/net/7", digest="c", path="/copy/net")
    assert version_place(REGISTRY, "net", 7) == checkpoint_place(checkpoint, REGISTRY)


def test_a_password_of_a_database_is_no_part_of_a_namespace():
    place = version_place("postgresql://u:hunter2@db/mlflow?password=hunter2", "net", 1)
    assert place == Place("postgresql://db/mlflow", "models:/net/1")


def test_a_stored_file_is_named_by_its_digest_in_a_folder_and_in_a_bucket():
    digest, name = "ab" * 32, f"objects/ab/{'ab' * 32}"
    assert stored_place("/ws/store", digest) == Place("file", f"/ws/store/{name}")
    assert stored_place("s3://lab/store", digest) == Place("s3://lab", f"store/{name}")
