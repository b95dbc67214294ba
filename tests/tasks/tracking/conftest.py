import shutil

import pytest

from mixmatch.config import RunConfig
from mixmatch.digests import json_digest
from mixmatch.records import (
    Accuracy,
    Artifact,
    BaseRecord,
    DataRecord,
    EpochRecord,
    FamilyRecord,
    MemberRecord,
    ModelSpec,
    Result,
    RivalResult,
)
from tasks.site import Site
from tasks.tracking import prepare_tracking
from tasks.tracking.connection import connect
from tasks.workspace import Workspace

SPEC = ModelSpec(
    architecture="test_resnet",
    arguments={},
    num_classes=3,
    image_shape=(16, 16, 3),
    mean=(0.5, 0.5, 0.5),
    std=(0.25, 0.25, 0.25),
    classes=("circle", "square", "star"),
)


def _accuracy(value):
    return Accuracy(
        num_correct=round(value * 1000),
        num_images=1000,
        value=value,
        low=value - 0.02,
        high=value + 0.02,
        loss=1.0 - value,
        correct_bits="",
    )


def _result(strategy="balanced", *, sparsity=0.8, accuracy=0.9, artifact=None, **changes):
    member = MemberRecord(
        artifact=artifact or Artifact(digest=json_digest({"file": strategy}), size_bytes=1000),
        mask_digest=json_digest({"mask": strategy}),
        num_weights=1000,
        num_nonzero=round(1000 * (1 - sparsity)),
        num_parameters=1100,
        sparsity=sparsity,
        sparsity_of_all=sparsity * 1000 / 1100,
        layer_sparsity={"fc": sparsity},
        validation_after_mask=_accuracy(0.4),
        validation_after_batch_norm=_accuracy(0.6),
        validation=_accuracy(accuracy),
        test=_accuracy(accuracy - 0.03125),
        epochs=(
            EpochRecord(train_loss=0.5, validation_accuracy=0.7, seconds=1.0),
            EpochRecord(train_loss=0.25, validation_accuracy=accuracy, seconds=1.0),
        ),
        best_epoch=1,
        seconds=2.5,
    )
    values = {
        "strategy": strategy,
        "also": (),
        "criterion": "magnitude",
        "seed": 0,
        "member": member,
        "accuracy_drop": 0.0625,
        "cached": False,
        "on_front": True,
        "mean_validation": accuracy,
        "front_share": 0.75,
        "key": json_digest({"job": strategy}),
    }
    return Result.model_validate(values | changes)


def _rival(rival="SNIP", **changes):
    """A rival that went through what a result does."""
    values = {
        "rival": rival,
        "sparsity": 0.75,
        "seed": 2,
        "member": _result().member,
        "accuracy_drop": 0.125,
        "cached": False,
        "key": json_digest({"job": rival}),
    }
    return RivalResult.model_validate(values | changes)


def _family(*results, failed=None):
    base = BaseRecord(
        spec=SPEC,
        source="trained",
        artifact=Artifact(digest="b" * 64, size_bytes=4400),
        num_parameters=1100,
        num_weights=1000,
        validation=_accuracy(0.95),
        test=_accuracy(0.9375),
        warnings=(),
        seconds=3.0,
    )
    return FamilyRecord(name="shapes", base=base, results=results, failed=failed or {})


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory):
    site = Site.at(Workspace.open(tmp_path_factory.mktemp("migrated")))
    prepare_tracking(site)
    return site.open_workspace().mlflow_database


@pytest.fixture
def empty_site(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return Site.at(Workspace.open(tmp_path / "workspace"))


@pytest.fixture
def site(empty_site, migrated_database):
    # Migrating anew takes seconds per test.
    shutil.copyfile(migrated_database, empty_site.open_workspace().mlflow_database)
    return empty_site


@pytest.fixture
def client(site):
    return connect(site)


@pytest.fixture
def config():
    return RunConfig.model_validate(
        {
            "data": {"name": "digits"},
            "model": {"architecture": "test_resnet"},
            "ranges": {"layers": {"layer*.conv?": [0.1, 0.2]}},
        }
    )


@pytest.fixture
def data():
    return DataRecord(
        name="digits",
        source="embedded",
        source_digest="d" * 64,
        artifact=Artifact(digest="e" * 64, size_bytes=99),
        num_images={"train": 8, "calibration": 1, "validation": 2, "test": 3},
        classes=("0", "1", "2"),
        image_shape=(16, 16, 3),
        mean=(0.5, 0.5, 0.5),
        std=(0.25, 0.25, 0.25),
        augmentation="crop",
    )


@pytest.fixture
def spec():
    return SPEC


@pytest.fixture
def make_result():
    return _result


@pytest.fixture
def make_rival():
    return _rival


@pytest.fixture
def make_family():
    return _family


@pytest.fixture
def parent_run(site, config, data):
    from tasks.tracking import open_run

    return open_run(site, name="a run", key="k" * 64, config=config, data=data, tags={})


@pytest.fixture
def pack(site, spec, tmp_path):
    """Store a packed network whose weights differ with ``seed``, in part zero."""
    import torch

    from mixmatch.models import build_model
    from mixmatch.packed import save_packed

    def stored(seed=0, pruned=0.5):
        torch.manual_seed(seed)
        model = build_model(spec)
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.data.view(-1)[: int(pruned * weight.numel())] = 0
        store = site.open_store()
        with store.scratch() as folder:
            save_packed(folder / "network", model, spec)
            return store.put(folder / "network")

    return stored
