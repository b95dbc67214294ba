import hashlib
import sys

import pytest
import torch
from safetensors.torch import save_file

from mixmatch.errors import ConfigError
from mixmatch.execution import resolve_execution
from mixmatch.images import ImageSet
from mixmatch.records import ModelSpec
from tasks.factory import code_digest
from tasks.networks import accuracy_of, build_network, open_network
from tasks.store import FolderStore

SOURCE = """
import torch

torch.manual_seed(12345)


def build(num_classes, in_chans, width=4):
    first = torch.nn.Linear(64 * in_chans, width)
    return torch.nn.Sequential(torch.nn.Flatten(), first, torch.nn.Linear(width, num_classes))
"""


@pytest.fixture
def spec(tmp_path, monkeypatch):
    """Name a user's own network in the current folder, a new module for each test."""
    name = f"own_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return ModelSpec(
        architecture=f"{name}:build",
        arguments={"width": 6},
        num_classes=2,
        image_shape=(8, 8, 1),
        mean=(0.5,),
        std=(0.25,),
        classes=("a", "b"),
        code_digest=hashlib.sha256(SOURCE.encode()).hexdigest(),
    )


def test_a_known_network_is_built_by_name(spec):
    known = spec.model_copy(update={"architecture": "test_resnet", "arguments": {}})
    assert build_network(known).fc.out_features == 2


def test_a_users_own_network_is_built_by_its_factory(spec):
    pinned = spec.model_copy(update={"code_digest": code_digest(spec.architecture)})
    assert build_network(pinned)[1].weight.shape == (6, 64)


def test_what_a_module_draws_at_its_import_does_not_move_the_weights(spec):
    models = []
    for _ in range(2):  # imported by the first, found by the second
        torch.manual_seed(0)
        models.append(build_network(spec))
    assert torch.equal(models[0][1].weight, models[1][1].weight)


def test_an_accuracy_is_never_measured_through_compiled_kernels(spec):
    def fused(*_):
        raise AssertionError("what is fused rounds elsewhere than the network that is stored")

    model = build_network(spec)
    model._compiled_call_impl = fused
    images = ImageSet(torch.zeros(4, 8, 8, 1, dtype=torch.uint8), torch.tensor([0, 1, 0, 1]))
    execution = resolve_execution(device="cpu", precision="float32", threads=1, compiled=True)
    assert accuracy_of(model, images, spec, execution).num_images == 4
    assert model._compiled_call_impl is fused


def test_a_users_own_network_opens_from_the_store(spec, tmp_path):
    store = FolderStore(tmp_path / "store")
    model = build_network(spec)
    with store.scratch() as folder:
        save_file(model.state_dict(), folder / "base")
        weights = store.put(folder / "base")
    opened = open_network(store, weights, spec)
    assert torch.equal(opened[2].weight, model[2].weight)
    assert not opened.training


def test_pretrained_weights_of_an_own_network_are_refused(spec):
    with pytest.raises(ConfigError, match=r"must not be timm for 'own_.*:build': no weights"):
        build_network(spec, pretrained=True)
