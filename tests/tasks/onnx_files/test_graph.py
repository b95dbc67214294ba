"""Graphs of small networks, filled with the weights of others of their architecture."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

import tasks.onnx_files.graph
from mixmatch.errors import CheckpointError, ConfigError
from tasks.onnx_files import OnnxNetwork, graph_of, with_weights

ROOT = Path(__file__).resolve().parents[3]
# Logits are up to about 10; both sides compute in float32, but sum up in another order.
ROUNDING = {"rtol": 1e-5, "atol": 1e-5}


def noise(num_images, spec, seed=0):
    height, width, channels = spec.image_shape
    generator = np.random.default_rng(seed)
    return generator.random((num_images, channels, height, width), dtype=np.float32)


def run(content, images):
    return OnnxNetwork(content, threads=1)(images)


class Normalized(nn.Module):
    """A network that takes pixels, as a direct export needs it."""

    def __init__(self, network, spec):
        super().__init__()
        self.network = network
        self.mean, self.std = (torch.tensor(x).view(1, -1, 1, 1) for x in (spec.mean, spec.std))

    def forward(self, images):
        return self.network((images - self.mean) / self.std)


class OwnNames(nn.Module):
    """Its weights are called as operations and as the graph's own values are."""

    def __init__(self):
        super().__init__()
        self.images, self.logits = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3))
        self.mul, self.linear = nn.Parameter(torch.full((3,), 2.0)), nn.Linear(3, 3)
        self.val_0, self.unused = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(7))

    def forward(self, x):
        x = x.mean(dim=(2, 3)) * self.mul + self.images
        return self.linear(x) * self.logits + self.val_0


class Branching(nn.Module):
    """Looks at values to decide what to compute."""

    def forward(self, x):
        return x.mean(dim=(2, 3)) if x.sum() > 0 else x.amax(dim=(2, 3))


def test_another_networks_weights_give_its_logits(graph, make_spec, make_network, logits_of):
    spec, images = make_spec(), noise(5, make_spec())
    for seed in (0, 1):
        model = make_network(seed)
        found = run(with_weights(graph, model.state_dict()), images)
        np.testing.assert_allclose(found, logits_of(model, images, spec), **ROUNDING)


def test_a_filled_graph_computes_what_a_direct_export_of_that_network_does(
    graph, make_spec, make_network, tmp_path
):
    spec, model = make_spec(), make_network(7)
    direct = torch.onnx.export(
        Normalized(model, spec).eval(),
        (torch.zeros(2, 3, 32, 32),),
        dynamo=True,
        input_names=["images"],
        output_names=["logits"],
        dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
        verbose=False,
    )
    direct.save(tmp_path / "direct.onnx")
    images = noise(4, spec)
    found = run(with_weights(graph, model.state_dict()), images)
    np.testing.assert_allclose(found, run(tmp_path / "direct.onnx", images), **ROUNDING)


@pytest.mark.parametrize("num_images", [1, 2, 3, 17])
def test_any_number_of_images_is_taken(graph, make_spec, make_network, num_images):
    content = with_weights(graph, make_network(0).state_dict())
    assert run(content, noise(num_images, make_spec())).shape == (num_images, 3)


def test_pixels_are_normalized_inside(graph, make_spec, make_network):
    spec, model = make_spec(), make_network(0)
    pixels = np.broadcast_to(np.float32(spec.mean).reshape(1, 3, 1, 1), (1, 3, 32, 32))
    with torch.inference_mode():
        expected = model(torch.zeros(1, 3, 32, 32)).numpy()
    found = run(with_weights(graph, model.state_dict()), np.ascontiguousarray(pixels))
    np.testing.assert_allclose(found, expected, **ROUNDING)


def test_initializers_are_the_state_dict_bit_for_bit(graph, make_network):
    state = make_network(3).state_dict()
    proto = onnx.ModelProto.FromString(with_weights(graph, state))
    initializers = {x.name: onnx.numpy_helper.to_array(x) for x in proto.graph.initializer}
    counters = {name for name in state if name.endswith("num_batches_tracked")}
    assert [x.name for x in graph.weights] == [name for name in state if name not in counters]
    for name in set(state) - counters:
        assert initializers[name].tobytes() == state[name].numpy().tobytes()


def test_zeros_stay_where_the_mask_has_them(graph, make_network):
    model = make_network(0)
    model.layer1[0].conv1.weight.data[:, ::2] = 0
    proto = onnx.ModelProto.FromString(with_weights(graph, model.state_dict()))
    name = "layer1.0.conv1.weight"
    found = next(x for x in proto.graph.initializer if x.name == name)
    zeros = onnx.numpy_helper.to_array(found) == 0
    assert zeros.sum() == model.layer1[0].conv1.weight.numel() / 2


def test_the_file_says_what_goes_in_and_comes_out(graph, make_network):
    content = with_weights(graph, make_network(0).state_dict(), {"classes": '["a"]', "b": "c"})
    proto = onnx.ModelProto.FromString(content)
    images, logits = proto.graph.input, proto.graph.output
    shapes = [
        [x.dim_param or x.dim_value for x in value.type.tensor_type.shape.dim]
        for value in (images[0], logits[0])
    ]
    assert shapes == [["batch", 3, 32, 32], ["batch", 3]]
    assert (len(images), images[0].name, len(logits), logits[0].name) == (1, "images", 1, "logits")
    assert images[0].doc_string == "Pixels, float32 in [0, 1], channels first; normalized inside."
    assert {x.key: x.value for x in proto.metadata_props} == {"classes": '["a"]', "b": "c"}
    assert proto.producer_name == "mixmatch"
    onnx.checker.check_model(proto, full_check=True)


def test_equal_networks_give_equal_bytes(graph, make_spec, make_network):
    again = graph_of(make_network(1), make_spec())
    assert again == graph
    state = make_network(0).state_dict()
    assert with_weights(again, state) == with_weights(graph, state)


def test_nothing_of_this_machine_is_in_the_file(graph):
    proto = onnx.ModelProto.FromString(graph.model)
    assert str(ROOT).encode() not in graph.model
    assert b".py" not in graph.model
    assert not any(node.metadata_props or node.doc_string for node in proto.graph.node)
    assert (len(proto.metadata_props), len(proto.graph.metadata_props)) == (0, 0)
    assert len(proto.functions) == 0


def test_exporting_leaves_the_network_and_random_numbers_alone(make_spec):
    model = nn.Sequential(nn.Conv2d(3, 3, 32), nn.BatchNorm2d(3), nn.Dropout(), nn.Flatten())
    model[1].eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.get_rng_state()
    graph_of(model, make_spec())
    assert torch.equal(torch.get_rng_state(), state)
    assert [part.training for part in model] == [True, False, True, True]
    assert all(torch.equal(before[name], x) for name, x in model.state_dict().items())


def test_names_of_weights_may_be_those_of_operations(make_spec, logits_of):
    model, spec = OwnNames().eval(), make_spec()
    graph = graph_of(model, spec)
    assert {x.name for x in graph.weights} == set(model.state_dict()) - {"unused"}
    kept = {x.name for x in graph.weights if x.initializer == x.name}
    assert {"linear.weight", "linear.bias"} <= kept
    assert not {"images", "logits"} & kept
    torch.manual_seed(5)
    for parameter in model.parameters():
        parameter.data.normal_()
    images = noise(2, spec)
    found = run(with_weights(graph, model.state_dict()), images)
    np.testing.assert_allclose(found, logits_of(model, images, spec), **ROUNDING)


def test_a_network_that_torch_cannot_export_is_refused(make_spec):
    message = r"^--format onnx needs a network that torch can export for any batch size, got test_"
    with pytest.raises(ConfigError, match=message) as caught:
        graph_of(Branching(), make_spec())
    assert len(str(caught.value).splitlines()) == 1


def test_weights_of_another_architecture_are_refused(graph, make_network):
    state = make_network(0).state_dict()
    lacking = {name: tensor for name, tensor in state.items() if name != "fc.bias"}
    message = r"^Weights for this ONNX graph must hold fc.bias of shape \[3\], got none\.$"
    with pytest.raises(CheckpointError, match=message):
        with_weights(graph, lacking)
    with pytest.raises(CheckpointError, match=r"fc.bias of shape \[3\], got \[4\]\.$"):
        with_weights(graph, {**state, "fc.bias": torch.zeros(4)})


def test_more_than_one_file_can_hold_is_refused(graph, make_network, monkeypatch):
    monkeypatch.setattr(tasks.onnx_files.graph, "_LARGEST_BYTES", 1000)
    message = r"^An ONNX file must hold at most 1000 bytes of weights, got \d+\.$"
    with pytest.raises(ConfigError, match=message):
        with_weights(graph, make_network(0).state_dict())
