import copy

import pytest
import timm
import torch
import torch.nn.functional as F
from torch import nn

from mixmatch import signals as signals_module
from mixmatch.errors import DataError, LayerError
from mixmatch.layers import prunable_layers, weight_of
from mixmatch.signals import measure_signals


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)
    torch.set_num_threads(1)


def batches_of(num_batches=2, shape=(3, 6, 6), num_classes=3):
    batches = [
        (torch.randn(4, *shape), torch.randint(num_classes, (4,))) for _ in range(num_batches)
    ]
    return lambda: iter(batches)


def small_network(activation=nn.Tanh):
    return nn.Sequential(
        nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2), activation(), nn.Flatten(), nn.Linear(32, 3)
    )


class Attends(nn.Module):
    """One attention, by torch's fused function, and a hard sigmoid if asked for."""

    def __init__(self, activation=nn.Tanh):
        super().__init__()
        self.embed = nn.Linear(6, 8)
        self.qkv = nn.Linear(8, 24)
        self.activation = activation()
        self.head = nn.Linear(8, 3)

    def forward(self, images):
        tokens = self.embed(images.flatten(1, 2))
        q, k, v = self.qkv(tokens).unsqueeze(1).chunk(3, dim=-1)
        mixed = F.scaled_dot_product_attention(q, k, v).squeeze(1)
        return self.head(self.activation(mixed).mean(1))


def gradients_by_batch(model, names, batches):
    """The plain way: one backward pass per batch, in eval mode."""
    model = copy.deepcopy(model).eval()
    rows = []
    for images, labels in batches():
        model.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        rows.append({name: weight_of(model, name).grad.clone() for name in names})
    return rows


def hessian_product(model, layers, batches, gradient):
    """H g by the full Hessian of the summed loss over all prunable weights at once."""
    model = copy.deepcopy(model).eval()
    names = [f"{x.name}.weight" for x in layers]
    parameters = {name: dict(model.named_parameters())[name].detach() for name in names}
    sizes = [x.num_weights for x in layers]

    def loss(flat):
        parts = {
            name: part.view_as(parameters[name])
            for name, part in zip(names, flat.split(sizes), strict=True)
        }
        return sum(
            F.cross_entropy(torch.func.functional_call(model, parts, (images,)), labels)
            for images, labels in batches()
        )

    flat = torch.cat([x.flatten() for x in parameters.values()])
    hessian = torch.autograd.functional.hessian(loss, flat)
    product = hessian @ torch.cat([gradient[x.name].flatten() for x in layers])
    return dict(zip([x.name for x in layers], product.split(sizes), strict=True))


def test_gradients_are_means_over_batches_before_and_after_the_sign_is_dropped():
    model, batches = small_network(), batches_of(3)
    layers = prunable_layers(model)
    rows = gradients_by_batch(model, ["0", "4"], batches)
    signals = measure_signals(model, layers, batches, hessian=False)
    for name in ("0", "4"):
        each = torch.stack([row[name] for row in rows])
        torch.testing.assert_close(signals.gradient[name], each.mean(0))
        torch.testing.assert_close(signals.abs_gradient[name], each.abs().mean(0))


def test_the_hessian_product_is_that_of_the_full_hessian():
    model, batches = small_network(), batches_of()
    layers = prunable_layers(model)
    signals = measure_signals(model, layers, batches)
    expected = hessian_product(model, layers, batches, signals.gradient)
    for layer in layers:
        found = signals.hessian_gradient[layer.name]
        assert found.shape == layer.shape
        torch.testing.assert_close(found.flatten(), expected[layer.name], rtol=1e-4, atol=1e-6)


def test_attention_is_differentiated_twice_exactly():
    model, batches = Attends(), batches_of(shape=(2, 3, 6))
    layers = prunable_layers(model)
    signals = measure_signals(model, layers, batches)
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        expected = hessian_product(model, layers, batches, signals.gradient)
    for layer in layers:
        found = signals.hessian_gradient[layer.name].flatten()
        torch.testing.assert_close(found, expected[layer.name], rtol=1e-4, atol=1e-6)


def test_central_differences_agree_with_the_exact_product(monkeypatch):
    model, batches = small_network(), batches_of()
    layers = prunable_layers(model)
    exact = measure_signals(model, layers, batches).hessian_gradient

    def refuse(*_):
        raise RuntimeError("derivative for aten::x_backward is not implemented")

    monkeypatch.setattr(signals_module, "exact_products", refuse)
    rough = measure_signals(model, layers, batches).hessian_gradient
    for name in exact:
        torch.testing.assert_close(rough[name], exact[name], rtol=1e-2, atol=1e-3)


def test_a_hard_sigmoid_falls_back_to_central_differences():
    class Equal(nn.Module):
        """The same function in operators that have second derivatives."""

        def forward(self, x):
            return F.relu6(x + 3) / 6

    model, batches = small_network(nn.Hardsigmoid), batches_of()
    twin = small_network(Equal)
    twin.load_state_dict(model.state_dict())
    before = copy.deepcopy(model.state_dict())
    layers = prunable_layers(model)
    found = measure_signals(model, layers, batches).hessian_gradient
    expected = measure_signals(twin, layers, batches).hessian_gradient
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-2, atol=1e-3)
    assert all(torch.equal(x, before[name]) for name, x in model.state_dict().items())


def test_other_failures_are_not_taken_for_a_missing_derivative(monkeypatch):
    def fail(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(signals_module, "exact_products", fail)
    model = small_network()
    with pytest.raises(torch.OutOfMemoryError, match="CUDA out of memory"):
        measure_signals(model, prunable_layers(model), batches_of())


def test_weights_are_restored_even_when_a_pass_fails():
    model, calls = small_network(nn.Hardsigmoid), []
    good = list(batches_of()())

    def batches():
        calls.append(len(calls))
        yield good[0]
        if len(calls) == 3:  # gradients, the exact attempt, then the first shifted pass
            raise OSError("disk gone")

    before = copy.deepcopy(model.state_dict())
    with pytest.raises(OSError, match="disk gone"):
        measure_signals(model, prunable_layers(model), batches)
    assert all(torch.equal(x, before[name]) for name, x in model.state_dict().items())


def test_nothing_about_the_model_changes():
    model, batches = small_network(lambda: nn.ReLU(inplace=True)), batches_of()
    model.train()
    model[1].eval()  # a frozen batch norm in a network that trains
    model[0].weight.requires_grad_(False)
    model[4].weight.grad = torch.full((3, 32), 7.0)
    before = copy.deepcopy(model.state_dict())
    measure_signals(model, prunable_layers(model), batches)
    assert all(torch.equal(x, before[name]) for name, x in model.state_dict().items())
    assert [x.training for x in model.modules()] == [True, True, False, True, True, True]
    assert [x.requires_grad for x in model.parameters()] == [False] + [True] * 5
    assert [x.grad is None for x in model.parameters()] == [True] * 4 + [False, True]
    assert (model[4].weight.grad == 7.0).all()


def test_signals_carry_no_graph_and_are_float32():
    model, batches = small_network(), batches_of()
    signals = measure_signals(model, prunable_layers(model), batches)
    for kind in (signals.abs_gradient, signals.gradient, signals.hessian_gradient):
        assert [(x.dtype, x.requires_grad) for x in kind.values()] == [(torch.float32, False)] * 2


def test_works_where_gradients_are_switched_off():
    model, batches = small_network(), batches_of()
    expected = measure_signals(model, prunable_layers(model), batches).gradient["4"]
    with torch.inference_mode():
        found = measure_signals(model, prunable_layers(model), batches).gradient["4"]
    assert torch.equal(found, expected)


def test_without_hessian_the_batches_are_read_once():
    model, batches, passes = small_network(), batches_of(), []

    def counted():
        passes.append(1)
        return batches()

    signals = measure_signals(model, prunable_layers(model), counted, hessian=False)
    assert passes == [1]
    assert signals.hessian_gradient == {}


def test_a_weight_without_a_part_in_the_loss_gets_zeros():
    class Idle(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.idle = nn.Linear(4, 3), nn.Linear(4, 3)

        def forward(self, images):
            return self.used(images.flatten(1))

    model = Idle()
    signals = measure_signals(model, prunable_layers(model), batches_of(shape=(1, 2, 2)))
    assert not signals.abs_gradient["idle"].any()
    assert not signals.hessian_gradient["idle"].any()
    assert signals.hessian_gradient["used"].any()


@pytest.mark.parametrize(
    ("name", "arguments", "size"),
    [
        ("resnet18", {}, 32),
        ("mobilenetv3_small_050", {}, 32),
        ("levit_128s", {"img_size": 32}, 32),
        ("vit_tiny_patch16_224", {"img_size": 32, "depth": 2}, 32),
    ],
)
def test_every_layer_of_a_timm_model_gets_finite_signals(name, arguments, size):
    model = timm.create_model(name, pretrained=False, num_classes=3, **arguments)
    layers = prunable_layers(model)
    signals = measure_signals(model, layers, batches_of(1, (3, size, size)))
    for layer in layers:
        assert torch.isfinite(signals.hessian_gradient[layer.name]).all()
        assert signals.hessian_gradient[layer.name].shape == layer.shape


def test_refuses_weights_of_another_precision():
    model = small_network().bfloat16()
    with pytest.raises(LayerError, match=r"layer '0' is torch.bfloat16; call model.float\(\)"):
        measure_signals(model, prunable_layers(model), batches_of())


def test_refuses_an_empty_calibration_set():
    model = small_network()
    with pytest.raises(DataError, match="at least one batch of images, got none"):
        measure_signals(model, prunable_layers(model), lambda: [])
