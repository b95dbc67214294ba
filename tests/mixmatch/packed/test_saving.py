"""What is written: any state comes back, and only prunable weights are rounded."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from torch import nn

from mixmatch.errors import ConfigError, LayerError, PackedFormatError
from mixmatch.packed import read_header, read_packed, save_packed, save_packed_state
from mixmatch.packed.layout import DTYPES
from mixmatch.quantization import VALUE_KINDS, quantize, round_weights_


@pytest.mark.parametrize("values", VALUE_KINDS)
def test_only_prunable_weights_are_rounded(values, small_model, tmp_path, spec_of, bits):
    save_packed(tmp_path / "net", small_model, spec_of(), values=values)
    found, state = read_packed(tmp_path / "net").state, small_model.state_dict()
    round_weights_(small_model, values)
    assert bits(found) == bits(small_model.state_dict())
    assert found["3.bias"].tolist() == state["3.bias"].tolist()
    assert all(found[name].dtype == state[name].dtype for name in state)


def test_int8_values_are_exactly_codes_times_scales(tmp_path, spec_of):
    weight = torch.randn(4, 50)
    weight[1] = 0
    weight[:, ::2] = 0
    save_packed_state(tmp_path / "net", {"w": weight}, spec_of(), {"w"}, values="int8")
    codes, scales = quantize(weight)
    found = read_packed(tmp_path / "net").state["w"]
    assert found.dtype == torch.float32
    assert torch.equal(found, codes.float() * scales[:, None])
    (entry,) = read_header(tmp_path / "net").tensors
    assert entry.num_nonzero == int(codes.count_nonzero())
    assert "scales" in [part.name for part in entry.parts]


@pytest.mark.parametrize("values", ["bfloat16", "float16", "int8"])
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_network_that_cannot_be_rounded_is_named_and_leaves_no_file(
    values, value, small_model, tmp_path, spec_of
):
    with torch.no_grad():
        small_model[3].weight[0, 0] = value
    with pytest.raises(PackedFormatError, match=rf"'3\.weight' must be finite .* as {values}"):
        save_packed(tmp_path / "net", small_model, spec_of(), values=values)
    assert not (tmp_path / "net").exists()


def test_a_weight_beyond_float16_is_named(small_model, tmp_path, spec_of):
    with torch.no_grad():
        small_model[3].weight[0, 0] = 70_000
    with pytest.raises(PackedFormatError, match=r"'3\.weight' must be finite .* as float16"):
        save_packed(tmp_path / "net", small_model, spec_of(), values="float16")


def test_a_weight_of_another_dtype_is_not_rounded(tmp_path, spec_of):
    state = {"w": torch.ones(2, dtype=torch.float64)}
    with pytest.raises(PackedFormatError, match=r"tensor w must be float32 .* int8 .*got float64"):
        save_packed_state(tmp_path / "net", state, spec_of(), {"w"}, values="int8")


def test_unknown_values_are_refused(small_model, tmp_path, spec_of):
    with pytest.raises(ConfigError, match=r"values must be one of float32, .*, got 'int4'\."):
        save_packed(tmp_path / "net", small_model, spec_of(), values="int4")


def test_a_prunable_name_that_is_not_in_the_state_is_refused(tmp_path, spec_of):
    with pytest.raises(PackedFormatError, match=r"must be in the state, got \['b'\]"):
        save_packed_state(tmp_path / "net", {"a": torch.ones(1)}, spec_of(), {"a", "b"})


def test_a_tensor_that_is_not_dense_is_refused(tmp_path, spec_of):
    with pytest.raises(PackedFormatError, match=r"tensor a must be dense and one of float32, "):
        save_packed_state(tmp_path / "net", {"a": torch.eye(2).to_sparse()}, spec_of(), set())


@pytest.mark.parametrize("strides", [(0,), (7,), (1,)])
def test_a_single_entry_of_any_stride_comes_back(strides, tmp_path, spec_of):
    state = {"a": torch.tensor([2.0, 3.0]).as_strided((1,), strides)}
    save_packed_state(tmp_path / "net", state, spec_of(), {"a"})
    assert read_packed(tmp_path / "net").state["a"].tolist() == [2.0]


def test_a_model_without_prunable_layers_is_refused(tmp_path, spec_of):
    with pytest.raises(LayerError):
        save_packed(tmp_path / "net", nn.Sequential(nn.BatchNorm2d(2)), spec_of())


def test_a_negative_zero_is_kept_and_not_counted(tmp_path, spec_of, bits):
    weight = torch.zeros(100)
    weight[[3, 7, 8]] = torch.tensor([-0.0, 1.0, -0.0])
    save_packed_state(tmp_path / "net", {"w": weight}, spec_of(), {"w"})
    (entry,) = read_header(tmp_path / "net").tensors
    assert (entry.num_nonzero, entry.num_kept) == (1, 3)
    assert bits(read_packed(tmp_path / "net").state) == bits({"w": weight})


SHAPES = st.one_of(
    st.just(()), array_shapes(min_dims=1, max_dims=5, min_side=0, max_side=4), st.just((3000,))
)


@st.composite
def tensors(draw, dtype):
    """Any bits of any dtype, with any share of zero bits."""
    shape = draw(SHAPES)
    width = np.dtype(DTYPES[dtype]).itemsize
    num_bytes = int(np.prod(shape, dtype=int)) * width
    if dtype == "bool":
        content = draw(arrays("u1", num_bytes, elements=st.integers(0, 1)))
    else:
        content = draw(arrays("u1", num_bytes, fill=st.integers(0, 255)))
    density = draw(st.sampled_from([0.0, 0.01, 0.1, 0.5, 0.9, 1.0]))
    seed = draw(st.integers(0, 9))
    pruned = np.random.default_rng(seed).random(num_bytes // width) >= density
    content.reshape(-1, width)[pruned] = 0
    entries = torch.tensor(content.tolist(), dtype=torch.uint8)
    return entries.view(getattr(torch, dtype)).reshape(shape)


@given(data=st.data(), dtype=st.sampled_from(list(DTYPES)), prunable=st.booleans())
@settings(deadline=None, max_examples=200)
def test_any_tensor_comes_back_bit_for_bit(data, dtype, prunable, tmp_path_factory, spec_of, bits):
    state = {"tensor": data.draw(tensors(dtype)), "other": torch.ones(2)}
    path = tmp_path_factory.mktemp("any") / "net"
    save_packed_state(path, state, spec_of(), {"tensor"} if prunable else set())
    assert bits(read_packed(path).state) == bits(state)
    entry = read_header(path).tensors[0]
    dense = state["tensor"].float() if "float8" in dtype else state["tensor"]
    assert entry.num_nonzero == (int((dense != 0).sum()) if prunable else None)


@given(data=st.data(), values=st.sampled_from(VALUE_KINDS[1:]))
@settings(deadline=None)
def test_any_finite_weight_comes_back_as_it_is_rounded(
    data, values, tmp_path_factory, spec_of, bits
):
    shape = data.draw(SHAPES)
    floats = st.floats(-60_000, 60_000, width=32)
    weight = torch.from_numpy(data.draw(arrays("<f4", shape, elements=floats)))
    path = tmp_path_factory.mktemp("rounded") / "net"
    save_packed_state(path, {"w": weight}, spec_of(), {"w"}, values=values)
    once = read_packed(path).state["w"]
    save_packed_state(path, {"w": once}, spec_of(), {"w"}, values=values)
    assert bits(read_packed(path).state) == bits({"w": once})
    assert bool((once[weight == 0] == 0).all())


@pytest.mark.parametrize("density", [0.0, 0.001, 0.02, 0.1, 0.5, 0.9, 0.99, 1.0])
@pytest.mark.parametrize("values", VALUE_KINDS)
def test_a_large_weight_of_any_density_comes_back(density, values, tmp_path, spec_of, bits):
    torch.manual_seed(1)
    weight = torch.randn(300, 700) + 0.01
    weight[torch.rand(300, 700) >= density] = 0
    layer = nn.Sequential(nn.Linear(700, 300))
    layer[0].weight.data = weight.clone()
    save_packed(tmp_path / "net", layer, spec_of(), values=values)
    round_weights_(layer, values)
    assert bits(read_packed(tmp_path / "net").state) == bits(layer.state_dict())
    entry = read_header(tmp_path / "net").tensors[0]
    assert entry.num_nonzero == int(layer[0].weight.count_nonzero())


def test_large_tensors_that_are_not_prunable_come_back(tmp_path, spec_of, bits):
    state = {"a": torch.randn(20_000), "b": torch.arange(9_000), "c": torch.ones(100_000)}
    save_packed_state(tmp_path / "net", state, spec_of(), set())
    header = read_header(tmp_path / "net")
    assert [x.values for x in header.tensors] == ["float32", "raw", "float32"]
    assert bits(read_packed(tmp_path / "net").state) == bits(state)
