import pytest

from mixmatch.config import ModelSettings
from mixmatch.errors import CheckpointError
from mixmatch.records import Artifact, Execution, ModelSpec
from tasks.base import compute
from tasks.checkpoint import LocatedCheckpoint
from tasks.jobs import BaseJob
from tasks.site import Site


def test_pretrained_weights_of_other_classes_are_refused_before_they_are_fetched(tmp_path):
    job = BaseJob(
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
    timm = LocatedCheckpoint(label="timm:resnet18", digest="c" * 64, path=None)
    site = Site(workspace=str(tmp_path), store=str(tmp_path / "store"))

    with pytest.raises(
        CheckpointError, match=r"the data set has \(10\), got 1000; set model.allow"
    ):
        compute(job, timm, site)
