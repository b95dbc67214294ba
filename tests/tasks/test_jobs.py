import pytest

from mixmatch.config import DataSettings, FineTuneSettings, RangeSettings
from mixmatch.records import Artifact, Execution, ModelSpec
from tasks.jobs import MemberJob, PlanJob, data_job

SPEC = ModelSpec(
    architecture="resnet18",
    arguments={},
    num_classes=10,
    image_shape=(32, 32, 3),
    mean=(0.5, 0.5, 0.5),
    std=(0.25, 0.25, 0.25),
    classes=tuple("0123456789"),
)
EXECUTION = Execution(
    device="cpu",
    precision="float32",
    threads=1,
    small_convolutions="native",
    versions={"torch": "2.14.1", "timm": "1.0.31"},
)


def member_job(**changes):
    values = {
        "base": Artifact(digest="b" * 64, size_bytes=1),
        "data": Artifact(digest="d" * 64, size_bytes=2),
        "spec": SPEC,
        "criterion": "magnitude",
        "scores": None,
        "num_pruned": {"conv1": 10, "fc": 20},
        "fine_tune": FineTuneSettings(),
        "augmentation": "crop",
        "seed": 0,
        "execution": EXECUTION,
    }
    return MemberJob(**(values | changes))


def test_the_key_of_a_job_never_changes_by_itself():
    # A change of this value orphans every stored member: raise step_version on purpose instead.
    assert member_job().key == "e3a5a4d11196365f0a96a69b3e4c86ae611d2ed362e15992538a64a4ab13aaf7"


def test_equal_inputs_in_another_order_have_one_key():
    assert member_job(num_pruned={"fc": 20, "conv1": 10}).key == member_job().key


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"criterion": "gradient"},
        {"num_pruned": {"conv1": 11, "fc": 20}},
        {"fine_tune": FineTuneSettings(max_epochs=1)},
        {"base": Artifact(digest="c" * 64, size_bytes=1)},
        {"execution": EXECUTION.model_copy(update={"threads": 2})},
        {"execution": EXECUTION.model_copy(update={"precision": "bfloat16"})},
    ],
)
def test_every_true_input_changes_the_key(change):
    assert member_job(**change).key != member_job().key


def test_the_order_of_layer_patterns_changes_the_plan():
    first, second = ({"layer4.*": (0.1, 0.2), "*": (0.3, 0.4)}, {"*": (0.3, 0.4)})
    second["layer4.*"] = (0.1, 0.2)
    keys = {
        PlanJob(
            base=Artifact(digest="b" * 64, size_bytes=1),
            spec=SPEC,
            scores=Artifact(digest="s" * 64, size_bytes=1),
            ranges=RangeSettings(layers=layers),
            strategies=("balanced",),
            seed=0,
            versions={},
        ).key
        for layers in (first, second)
    }
    assert len(keys) == 2


def test_where_the_images_lie_is_no_input_of_fetching():
    here = DataSettings(name="image_folder", root="/a")
    there = DataSettings(name="image_folder", root="/b", augmentation="none")
    assert data_job(here, "s" * 64, 0.05, 0).key == data_job(there, "s" * 64, 0.05, 0).key


def test_the_size_of_the_images_is_an_input_of_fetching():
    small, large = (DataSettings(name="digits", image_size=size) for size in (16, 32))
    assert data_job(small, "s" * 64, 0.05, 0).key != data_job(large, "s" * 64, 0.05, 0).key
