"""Linear layers in CSR give what dense ones give; which layers are replaced, and when not."""

import copy
import io

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mixmatch import sparse_linear
from mixmatch.errors import SparsityError, TrainingError
from mixmatch.sparse_linear import SparseLinear, sparse_candidates, sparsify_linears_

# Sums of up to 1024 products in another order, which come to about 1; float32 keeps 24 bits.
TOLERANCE = {"rtol": 1e-5, "atol": 1e-5}


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def linear(outputs, inputs, sparsity=0.9, *, seed=0, bias=True):
    """A layer in eval mode of which exactly the stated part of the weights is zero."""
    layer = nn.Linear(inputs, outputs, bias=bias).eval().requires_grad_(requires_grad=False)
    layer.weight.copy_(noise(outputs, inputs, seed=seed) / inputs**0.5)
    order = torch.randperm(outputs * inputs, generator=torch.Generator().manual_seed(seed))
    layer.weight.view(-1)[order[: round(sparsity * outputs * inputs)]] = 0.0
    return layer


@pytest.fixture
def network():
    """Two large layers of which the second is too dense, and a small sparse one."""
    return nn.Sequential(
        linear(1024, 1024, 0.8),
        nn.ReLU(),
        linear(1024, 1024, 0.5),
        nn.ReLU(),
        linear(10, 1024, 0.9),
    ).eval()


@settings(max_examples=40, deadline=None)
@given(
    outputs=st.integers(1, 60),
    inputs=st.integers(1, 60),
    shape=st.sampled_from([(), (1,), (0,), (2,), (32,), (33,), (70,), (2, 3), (4, 1, 5)]),
    sparsity=st.sampled_from([0.0, 0.5, 0.97, 1.0]),
    bias=st.booleans(),
    seed=st.integers(0, 99),
)
def test_outputs_are_those_of_the_dense_layer(outputs, inputs, shape, sparsity, bias, seed):
    dense = linear(outputs, inputs, sparsity, seed=seed, bias=bias)
    images = noise(*shape, inputs, seed=seed)
    found = SparseLinear(dense)(images)
    torch.testing.assert_close(found, dense(images), **TOLERANCE)
    assert found.is_contiguous()


def test_inputs_need_not_be_contiguous():
    dense = linear(20, 30)
    images = noise(30, 40).t()
    torch.testing.assert_close(SparseLinear(dense)(images), dense(images), **TOLERANCE)


def test_a_large_layer_that_is_sparse_enough_is_replaced_and_no_other(network):
    dense = copy.deepcopy(network)
    replaced = sparsify_linears_(network)
    assert replaced == {"0": round(0.8 * 1024 * 1024) / 1024**2}
    assert [type(x) for x in network] == [SparseLinear, nn.ReLU, nn.Linear, nn.ReLU, nn.Linear]
    images = noise(3, 1024)
    torch.testing.assert_close(network(images), dense(images), **TOLERANCE)


@pytest.mark.parametrize(
    ("break_even", "names"), [(0.0, ["0", "2"]), (0.5, ["0", "2"]), (0.81, []), (1.0, [])]
)
def test_the_break_even_decides_and_looking_changes_nothing(network, break_even, names):
    assert list(sparse_candidates(network, break_even=break_even)) == names
    assert not any(isinstance(x, SparseLinear) for x in network)


@pytest.mark.parametrize("break_even", [-0.1, 80])
def test_a_break_even_is_a_fraction(network, break_even):
    with pytest.raises(SparsityError, match=r"break_even must be a fraction in \[0.0, 1.0\], got"):
        sparsify_linears_(network, break_even=break_even)


def test_a_layer_that_is_registered_twice_is_replaced_twice(network):
    network.append(network[0])
    sparsify_linears_(network)
    assert isinstance(network[0], SparseLinear)
    assert network[5] is network[0]


class Own(nn.Linear):
    """May compute anything."""


def _own(_):
    own = Own(1024, 1024).requires_grad_(requires_grad=False)
    own.weight.zero_()
    return own


def _hooked(layer):
    layer.register_forward_hook(lambda *_: None)
    return layer


def _shared(layer):
    other = nn.Linear(1024, 1024)
    other.weight = layer.weight
    return nn.Sequential(layer, other)


def _in_transformer(layer):
    block = nn.TransformerEncoderLayer(1024, 8, dim_feedforward=1024, batch_first=True)
    block.linear1 = layer
    return block


def _double(layer):
    return layer.double()


@pytest.mark.parametrize("change", [_own, _hooked, _shared, _in_transformer, _double])
def test_a_layer_whose_weight_others_may_read_stays_dense(change):
    model = nn.Sequential(change(linear(1024, 1024, 0.95)))
    assert sparsify_linears_(model) == {}


def test_without_mkl_nothing_is_replaced(network, monkeypatch):
    monkeypatch.setattr(sparse_linear.torch.backends.mkl, "is_available", lambda: False)
    assert sparsify_linears_(network) == {}


def test_the_state_dict_is_that_of_the_dense_network(network):
    before = copy.deepcopy(network.state_dict())
    sparsify_linears_(network)
    after = network.state_dict()
    assert set(after) == set(before)
    assert all(torch.equal(after[name], before[name]) for name in before)


@pytest.mark.parametrize("strict", [True, False])
def test_no_state_can_be_loaded(network, strict):
    state = copy.deepcopy(network.state_dict())
    sparsify_linears_(network)
    with pytest.raises(RuntimeError, match="No state can be loaded into a sparse linear layer"):
        network.load_state_dict(state, strict=strict)


def test_training_is_refused_and_eval_mode_works_again(network):
    sparsify_linears_(network)
    network.train()
    with pytest.raises(TrainingError, match=r"must be in eval mode, got train mode: load it with"):
        network(torch.zeros(1, 1024))
    assert network.eval()(torch.zeros(1, 1024)).shape == (1, 10)


def test_it_holds_eight_bytes_per_kept_weight():
    layer = SparseLinear(linear(100, 50, 0.9))
    held = sum(x.nbytes for x in (layer.starts, layer.columns, layer.values))
    assert held == 8 * 500 + 4 * 101
    assert [name for name, _ in layer.named_parameters()] == ["bias"]
    assert layer.weight.shape == (100, 50)


def test_a_network_can_be_copied_and_pickled(network):
    sparsify_linears_(network)
    file = io.BytesIO()
    torch.save(network, file)
    file.seek(0)
    images = noise(2, 1024)
    for twin in (copy.deepcopy(network), torch.load(file, weights_only=False)):
        assert torch.equal(twin(images), network(images))


def test_it_prints_its_shape_and_sparsity():
    layer = SparseLinear(linear(100, 50, 0.9, bias=False))
    expected = "SparseLinear(in_features=50, out_features=100, bias=False, sparsity=0.900)"
    assert str(layer) == expected
