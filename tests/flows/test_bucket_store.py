"""A tiny family whose artifacts lie in a bucket of a real server, as does its data set."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from mixmatch.records import Artifact
from tasks.store import open_store
from tests.flows.command import run_command
from tests.swift import BUCKET

pytestmark = pytest.mark.service

RUN_FILE = """
name: remote
data: {name: image_folder, root: ROOT, image_size: 16, test_fraction: 0.25}
model: {architecture: test_resnet, train: {epochs: 1}}
strategies: [conservative, aggressive]
fine_tune: {max_epochs: 0}
quantize: none
latency: none
register: {enabled: false}
engine: {workers: 2}
"""


@pytest.fixture(scope="module")
def environment(swift):
    with pytest.MonkeyPatch.context() as patch:
        for name, value in swift.environment.items():
            patch.setenv(name, value)
        yield swift


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return f"s3://{BUCKET}/family"


@pytest.fixture(scope="module")
def run_file(environment, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bucket")
    random = np.random.default_rng(0)
    for number in range(48):
        label = number % 2
        pixels = random.integers(0, 128, (16, 16, 3)) + 127 * label
        Image.fromarray(pixels.astype(np.uint8)).save(folder / "image.png")
        key = f"images/class{label}/{number:02}.png"
        environment.client.upload_file(str(folder / "image.png"), BUCKET, key)
    (folder / "run.yaml").write_text(RUN_FILE.replace("ROOT", f"s3://{BUCKET}/images"))
    return folder / "run.yaml"


@pytest.fixture(scope="module")
def workspace(run_file):
    return run_file.with_name("workspace")


@pytest.fixture(scope="module")
def first(workspace, run_file, store):
    return run_command(workspace, run_file, f"store={store}")


@pytest.fixture(scope="module")
def repeated(first, workspace, run_file, store):
    """The same command again, after all that was read from buckets is gone from here."""
    shutil.rmtree(workspace / "cache")
    shutil.rmtree(workspace / "data")
    return run_command(workspace, run_file, f"store={store}")


def test_a_family_is_computed_into_a_bucket(first, store, tmp_path):
    assert first.exit_code == 0
    assert first.summary["cache"]["misses"] == 6
    held = open_store(store, tmp_path / "cache")
    for row in first.summary["results"]:
        artifact = Artifact(digest=row["digest"], size_bytes=row["bytes"])
        assert held.path(artifact).stat().st_size == row["bytes"]


def test_a_repeated_run_finds_everything_in_the_bucket(first, repeated):
    assert repeated.exit_code == 0
    assert repeated.summary["cache"] == {"hits": 6, "misses": 0}
    digests = [[row["digest"] for row in x.summary["results"]] for x in (first, repeated)]
    assert digests[0] == digests[1]


def test_the_data_set_is_named_by_its_address(first, store, tmp_path):
    held = open_store(store, tmp_path / "cache")
    (name,) = held.names("records/fetch/")
    assert json.loads(held.read(name))["record"]["source"] == f"s3://{BUCKET}/images"


def test_no_credentials_are_written_down(first, repeated, run_file):
    """Neither in the workspace, its databases, logs and records, nor in what was printed."""
    files = [x for x in run_file.parent.rglob("*") if x.is_file()]
    assert [x for x in files if b"test:tester" in x.read_bytes()] == []
    assert "test:tester" not in first.stderr + str(first.summary)
