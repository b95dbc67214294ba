"""Versions brought back: from a folder and a file, and from buckets with DVC's remote on S3."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from dvc.config import Config
from PIL import Image
from safetensors.torch import save_file

from flows.compress import compress
from flows.watch import NullWatch
from mixmatch.config import RunConfig, parse_run_config
from mixmatch.models import build_model
from mixmatch.records import ModelSpec
from tasks.jobs import BaseJob, FetchJob
from tasks.restore import restore_version
from tasks.run_file import load_run_file
from tasks.site import Site
from tasks.versioning.repository import opened_repository
from tasks.workspace import Workspace
from tests.swift import BUCKET

pytestmark = pytest.mark.service

FASHION = Path("/usr/share/datasets/fashion-mnist")
SETTINGS = {
    "strategies": ["aggressive"],
    "fine_tune": {"max_epochs": 1},
    "ranges": {"baselines": ["MAG"], "targets": [0.9]},
    "quantize": "none",
    "latency": "none",
    "engine": {"workers": 1, "precision": "float32"},
}
MODEL = {"architecture": "test_resnet"}


@dataclass(frozen=True)
class Case:
    """A family as it was made, and its smallest version in a folder of its own."""

    site: Site
    digests: set[str]
    folder: Path

    @property
    def restored(self) -> Site:
        return Site.at(Workspace(self.folder / ".mixmatch"))

    @property
    def config(self) -> RunConfig:
        return load_run_file(self.folder / "run.yaml")


def made(workspace, values):
    """Compute a family, and restore its smallest version."""
    config = parse_run_config({**SETTINGS, **values}, "run")
    site = Site.at(Workspace.open(workspace), config.store)
    summary = compress(config, site, watch=NullWatch())
    folder = workspace.with_name("restored")
    restored = restore_version(site, f"{config.run_name}@smallest", folder)
    assert (restored.num_records, restored.num_files) == (6, 5)
    return Case(site, {row.digest for row in summary.results}, folder)


def save_weights(file, num_classes, channels):
    """Write a checkpoint as a user may have one."""
    spec = ModelSpec(
        architecture=MODEL["architecture"],
        arguments={},
        num_classes=num_classes,
        image_shape=(16, 16, channels),
        mean=(0.5,) * channels,
        std=(0.25,) * channels,
        classes=tuple(str(x) for x in range(num_classes)),
    )
    torch.manual_seed(0)
    state = build_model(spec).state_dict()
    save_file({name: value.contiguous() for name, value in state.items()}, file)


@pytest.fixture(scope="module")
def from_folder(server_site, tmp_path_factory):
    """Fashion-MNIST from a folder and weights from a file, both of which are lost afterwards."""
    place = tmp_path_factory.mktemp("folder")
    shutil.copytree(FASHION, place / "fashion")
    save_weights(place / "own.safetensors", num_classes=10, channels=1)
    data = {"name": "fashion_mnist", "root": str(place / "fashion"), "image_size": 16}
    values = {
        "name": "fashion",
        "data": {**data, "channels": 1, "train_limit": 200},
        "model": {**MODEL, "checkpoint": str(place / "own.safetensors")},
    }
    case = made(place / "workspace", values)
    shutil.rmtree(place / "fashion")
    (place / "own.safetensors").unlink()
    shutil.rmtree(place / "workspace")
    return case


@pytest.fixture(scope="module")
def bucket(swift):
    with pytest.MonkeyPatch.context() as patch:
        for name, value in swift.environment.items():
            patch.setenv(name, value)
        yield swift.client


@pytest.fixture(scope="module")
def from_bucket(server_site, bucket, tmp_path_factory):
    """Images, weights, the store and DVC's remote: all in a bucket."""
    place = tmp_path_factory.mktemp("bucket")
    random = np.random.default_rng(0)
    for number in range(48):
        pixels = random.integers(0, 128, (16, 16, 3)) + 127 * (number % 2)
        Image.fromarray(pixels.astype(np.uint8)).save(place / "image.png")
        key = f"restore/images/class{number % 2}/{number:02}.png"
        bucket.upload_file(str(place / "image.png"), BUCKET, key)
    save_weights(place / "own.safetensors", num_classes=2, channels=3)
    bucket.upload_file(str(place / "own.safetensors"), BUCKET, "restore/own.safetensors")
    with opened_repository(Workspace.open(place / "workspace")) as repo:
        hidden = repo.dvc_dir
    with Config(hidden).edit("repo") as config:  # as a person would, by hand
        config["remote"]["workspace"]["url"] = f"s3://{BUCKET}/restore/dvc"
    root = f"s3://{BUCKET}/restore/images"
    values = {
        "name": "remote",
        "data": {"name": "image_folder", "root": root, "image_size": 16, "test_fraction": 0.25},
        "model": {**MODEL, "checkpoint": f"s3://{BUCKET}/restore/own.safetensors"},
        "store": f"s3://{BUCKET}/restore/store",
    }
    case = made(place / "workspace", values)
    shutil.rmtree(place / "workspace")
    return case


@pytest.fixture(params=["from_folder", "from_bucket"])
def case(request):
    return request.getfixturevalue(request.param)


def test_a_restored_run_computes_nothing(case):
    again = compress(case.config, case.restored, watch=NullWatch(), through_flow=True)
    assert (again.cache.hits, again.cache.misses) == (5, 0)
    assert {row.digest for row in again.results} == case.digests


def test_data_and_base_are_enough_to_compute_the_same_again(from_folder):
    """Their sources are lost, and so is every record but theirs."""
    records = from_folder.restored.open_workspace().store / "records"
    for step in records.iterdir():
        if step.name not in (FetchJob.step, BaseJob.step):
            shutil.rmtree(step)
    again = compress(from_folder.config, from_folder.restored, watch=NullWatch())
    assert (again.cache.hits, again.cache.misses) == (2, 3)
    assert {row.digest for row in again.results} == from_folder.digests


def test_without_its_caches_a_run_reads_its_sources_and_gives_the_same(from_bucket):
    shutil.rmtree(from_bucket.restored.store)
    again = compress(from_bucket.config, from_bucket.restored, watch=NullWatch())
    assert (again.cache.hits, again.cache.misses) == (0, 5)
    assert {row.digest for row in again.results} == from_bucket.digests
