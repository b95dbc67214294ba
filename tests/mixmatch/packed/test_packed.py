"""Whole networks through packed files and back."""

import subprocess
import sys

import pytest
import torch
from safetensors import safe_open
from torch import nn

from mixmatch.layers import prunable_layers
from mixmatch.models import build_model
from mixmatch.packed import load_packed, read_header, read_packed, save_packed
from mixmatch.quantization import VALUE_KINDS, round_weights_


def test_every_tensor_comes_back_bit_for_bit(pruned, packed_path, spec_of, bits):
    packed = read_packed(packed_path)
    assert packed.spec == spec_of()
    assert list(packed.state) == list(pruned.state_dict())
    assert bits(packed.state) == bits(pruned.state_dict())


def test_the_loaded_network_computes_the_same_in_eval_mode(pruned, packed_path):
    loaded = load_packed(packed_path)
    images = torch.rand(2, 3, 32, 32)
    assert not any(module.training for module in loaded.modules())
    assert torch.equal(loaded(images), pruned.eval()(images))
    pruned.train()


def test_the_loaded_network_can_be_trained(packed_path):
    loaded = load_packed(packed_path)
    loaded(torch.rand(2, 3, 32, 32)).sum().backward()
    assert all(parameter.grad is not None for parameter in loaded.parameters())


def test_loading_leaves_random_state_alone(packed_path):
    before = torch.random.get_rng_state()
    load_packed(packed_path)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_network_at_090_takes_less_than_an_eighth_of_its_dense_bytes(pruned, packed_path):
    dense = sum(x.numel() * x.element_size() for x in pruned.state_dict().values())
    assert packed_path.stat().st_size < dense / 8


def test_equal_networks_give_equal_bytes(pruned, packed_path, spec_of, tmp_path):
    save_packed(tmp_path / "again", pruned.to(memory_format=torch.channels_last), spec_of())
    assert (tmp_path / "again").read_bytes() == packed_path.read_bytes()


def test_the_header_counts_prunable_weights(packed_path, pruned):
    counted = {x.name: x.num_nonzero for x in read_header(packed_path).tensors}
    assert counted["conv1.0.weight"] == int(pruned.conv1[0].weight.count_nonzero())
    assert counted["fc.weight"] == int(pruned.fc.weight.count_nonzero())
    assert counted["bn1.weight"] is None
    assert counted["fc.bias"] is None


def test_a_packed_in_projection_is_prunable(tmp_path, spec_of, prune_):
    model = nn.Sequential(nn.MultiheadAttention(8, 2))
    prune_(model, 0.5)
    save_packed(tmp_path / "net", model, spec_of())
    found = {x.name: x.num_nonzero for x in read_header(tmp_path / "net").tensors}
    assert found["0.in_proj_weight"] == 24 * 8 // 2


def test_a_shared_weight_comes_back_under_each_of_its_names(tmp_path, spec_of, prune_, bits):
    def shared(num_classes):
        model = nn.Sequential(nn.Flatten(), nn.Linear(num_classes, 10), nn.Linear(10, 10))
        model[1].weight = model[2].weight
        return model

    grey = {"image_shape": (1, 10, 1), "mean": (0.5,), "std": (0.5,)}
    spec = spec_of("nets:shared").model_copy(update=grey)
    model = shared(10)
    prune_(model, 0.5)
    save_packed(tmp_path / "net", model, spec)
    assert bits(read_packed(tmp_path / "net").state) == bits(model.state_dict())
    loaded = load_packed(tmp_path / "net", factory=shared)
    assert loaded[1].weight is loaded[2].weight
    assert bits(loaded.state_dict()) == bits(model.state_dict())


@pytest.mark.parametrize("architecture", ["test_vit", "test_efficientnet", "swin_tiny_patch4"])
@pytest.mark.parametrize("values", VALUE_KINDS)
def test_what_a_constructor_computes_is_right_after_loading(
    architecture, values, tmp_path, spec_of, prune_, bits
):
    swin = {"depths": [2, 2], "num_heads": [1, 2], "embed_dim": 8, "window_size": 4}
    spec = spec_of(architecture)
    if architecture.startswith("swin"):
        spec = spec_of("swin_tiny_patch4_window7_224", **swin)
        spec = spec.model_copy(update={"image_shape": (64, 64, 3)})
    model = build_model(spec)
    prune_(model, 0.5)
    save_packed(tmp_path / "net", model, spec, values=values)
    round_weights_(model, values)
    loaded = load_packed(tmp_path / "net")
    assert bits(dict(loaded.named_buffers())) == bits(dict(model.named_buffers()))
    assert bits(loaded.state_dict()) == bits(model.state_dict())
    images = torch.rand(1, 3, *spec.image_shape[:2])
    assert torch.equal(loaded(images), model.eval()(images))


def test_vgg11_comes_back_from_a_packed_file(tmp_path, spec_of):
    torch.manual_seed(0)
    model = build_model(spec_of("vgg11_cifar"))
    with torch.no_grad():
        model.classifier[0].weight[:, ::2] = 0
        model.classifier[3].weight[1:] = 0
    save_packed(tmp_path / "vgg", model, spec_of("vgg11_cifar"))
    state, loaded = model.state_dict(), load_packed(tmp_path / "vgg").state_dict()
    assert list(loaded) == list(state)
    assert all(torch.equal(loaded[name], tensor) for name, tensor in state.items())
    counted = {x.name: x.num_nonzero for x in read_header(tmp_path / "vgg").tensors}
    assert counted["classifier.0.weight"] == 4096 * 256
    assert counted["classifier.3.weight"] == 4096


def test_a_header_is_read_without_torch(packed_path):
    code = (
        "import sys, pathlib; from mixmatch.packed import read_header;"
        "print(read_header(pathlib.Path(sys.argv[1])).version, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, packed_path], capture_output=True, text=True, check=True
    )
    assert done.stdout == "2 False\n"


def test_any_safetensors_reader_lists_the_blocks(packed_path, pruned):
    with safe_open(packed_path, framework="np") as file:
        keys = set(file.keys())
    weights = {f"tensor/{layer.name}.weight" for layer in prunable_layers(pruned)}
    assert keys == {"layout", "rest/float32", "rest/int64", *weights}
