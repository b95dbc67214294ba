"""Each runtime answers alike: one network is timed, and its images are prepared right."""

import pytest
import torch
from safetensors.torch import save_file

from mixmatch import sparse_linear
from mixmatch.layers import prunable_layers, weights_of
from mixmatch.models import build_model
from mixmatch.packed import save_packed
from mixmatch.records import HostRecord, ModelSpec
from tasks.jobs import LatencyJob
from tasks.networks import open_split
from tasks.site import Site
from tasks.timed_networks import runtimes
from tasks.workspace import Workspace

SPEC = ModelSpec(
    architecture="test_vit",
    arguments={},
    num_classes=4,
    image_shape=(32, 32, 3),
    mean=(0.4, 0.5, 0.6),
    std=(0.2, 0.25, 0.3),
    classes=("a", "b", "c", "d"),
)
HOST = HostRecord(processor="any", num_processors=1, system="any", versions={})


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Site.at(Workspace.open(tmp_path_factory.mktemp("timed") / "w")).open_store()


@pytest.fixture(scope="module")
def job(store):
    """A network with random weights, and a member of it that has lost 19 of 20 weights."""
    torch.manual_seed(0)
    model = build_model(SPEC).eval()
    pixels = torch.randint(0, 256, (12, 32, 32, 3), dtype=torch.uint8)
    splits = {name: torch.arange(12) for name in ("train", "calibration", "validation", "test")}
    with store.scratch() as folder:
        save_file(model.state_dict(), folder / "base")
        save_file({"images": pixels, "labels": torch.arange(12) % 4, **splits}, folder / "data")
        base, data = store.put(folder / "base"), store.put(folder / "data")
        for weight in weights_of(model, prunable_layers(model)).values():
            weight.view(-1)[torch.arange(weight.numel()) % 20 > 0] = 0.0
        save_packed(folder / "member", model, SPEC)
        member = store.put(folder / "member")
    return LatencyJob(
        base=base, members=(member,), data=data, spec=SPEC, batches=(1,), threads=1, host=HOST
    )


@pytest.fixture(scope="module")
def images(store, job):
    return open_split(store, job.data, "calibration", "cpu")


@pytest.fixture(scope="module")
def opened(store, job, images):
    """All runtimes, opened lazily; the graph is exported once."""
    return runtimes(job, store, images)


@pytest.fixture
def answers(opened, images):
    """Return what each way to run a network answers to the same images."""

    def of(weights):
        with torch.inference_mode():
            return {
                name: torch.as_tensor(network(runtime.prepare(images.images)))
                for runtime in opened
                for name, network in runtime.open(weights).items()
            }

    return of


@pytest.mark.parametrize("which", ["base", "member"])
def test_all_runtimes_give_the_scores_of_one_network(job, answers, which):
    found = answers(job.base if which == "base" else job.members[0])
    assert list(found) == ["torch", "onnx", "onnx-int8"]
    torch.testing.assert_close(found["onnx"], found["torch"], rtol=1e-3, atol=1e-4)
    # int8 rounds every product; scores of a network of noise lie within about 1 of each other.
    assert (found["onnx-int8"] - found["torch"]).abs().max() < 0.2
    assert not torch.equal(found["onnx-int8"], found["onnx"])


def test_base_and_member_are_not_the_same_network(job, answers):
    base, member = (answers(weights)["torch"] for weights in (job.base, job.members[0]))
    assert (base - member).abs().max() > 0.01


def test_a_member_with_large_sparse_linear_layers_runs_in_two_ways(job, answers, monkeypatch):
    monkeypatch.setattr(sparse_linear, "MIN_WEIGHTS", 64 * 64)
    assert list(answers(job.base)) == ["torch", "onnx", "onnx-int8"]
    found = answers(job.members[0])
    assert list(found) == ["torch", "torch-sparse", "onnx", "onnx-int8"]
    torch.testing.assert_close(found["torch-sparse"], found["torch"], rtol=1e-4, atol=1e-5)
