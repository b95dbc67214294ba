import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from mixmatch.config import ModelSettings
from mixmatch.errors import CheckpointError
from mixmatch.records import Artifact, Execution, ModelSpec
from tasks.base import compute
from tasks.checkpoint import LocatedCheckpoint
from tasks.jobs import BaseJob
from tasks.site import Site


@pytest.fixture
def job():
    return BaseJob(
        data=Artifact(digest="d" * 64, size_bytes=1),
        spec=ModelSpec(
            architecture="resnet18",
            arguments={},
            num_classes=10,
            image_shape=(32, 32, 3),
            mean=(0.5,) * 3,
            std=(0.5,) * 3,
            classes=tuple("0123456789"),
        ),
        checkpoint_digest="c" * 64,
        settings=ModelSettings(architecture="resnet18"),
        augmentation="none",
        seed=0,
        execution=Execution(
            device="cpu", precision="float32", threads=1, small_convolutions="native", versions={}
        ),
    )


def test_pretrained_weights_of_other_classes_are_refused_before_they_are_fetched(tmp_path, job):
    timm = LocatedCheckpoint(label="timm:resnet18", digest="c" * 64, path=None)
    site = Site(workspace=str(tmp_path), store=str(tmp_path / "store"))

    with pytest.raises(
        CheckpointError, match=r"the data set has \(10\), got 1000; set model.allow"
    ):
        compute(job, timm, site)


def test_a_network_that_shares_a_weight_is_stored_under_each_name(
    tmp_path, job, half_right, monkeypatch
):
    network = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    network[1].weight = network[0].weight
    monkeypatch.setattr("tasks.base._trained_network", lambda *given: network)
    monkeypatch.setattr("tasks.base._accuracy", lambda *given: half_right)
    site = Site(workspace=str(tmp_path), store=str(tmp_path / "store"))
    found = compute(job, None, site)
    assert found.num_weights == 64
    stored = load_file(site.open_store().path(found.artifact))
    assert stored.keys() == network.state_dict().keys()
    assert all(torch.equal(x, network.state_dict()[name]) for name, x in stored.items())
