import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mixmatch.errors import ConfigError, LayerError, PackedFormatError
from mixmatch.layers import prunable_layers, weights_of
from mixmatch.packed import load_packed, read_packed, save_packed
from mixmatch.quantization import VALUE_KINDS, dequantize, quantize, round_weight, round_weights_
from mixmatch.records import ModelSpec

SMALLEST_SCALE = 2.0**-126
SMALLEST_SUBNORMAL = 2.0**-149
LARGEST = torch.finfo(torch.float32).max


class Attending(nn.Module):
    """A network with every sort of prunable weight: 4-d, 5-d, 2-d, a packed in-projection."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, stride=4)
        self.norm = nn.BatchNorm2d(4)
        self.deep = nn.Conv3d(1, 2, (2, 1, 1))
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.fc = nn.Linear(4, 2)

    def forward(self, images):
        features = self.norm(self.conv(images))
        features = features * self.deep(features[:, None]).mean()
        tokens = features.flatten(2).transpose(1, 2)
        attended, _ = self.attention(tokens, tokens, tokens, need_weights=False)
        return self.fc(attended.mean(dim=1))


SPEC = ModelSpec(
    architecture="nets.own:Attending",
    arguments={},
    num_classes=2,
    image_shape=(16, 16, 3),
    mean=(0.5, 0.5, 0.5),
    std=(0.25, 0.25, 0.25),
    classes=("a", "b"),
    code_digest="c" * 64,
)


@pytest.fixture
def model():
    """A pruned network, with one channel that is all zero."""
    torch.manual_seed(0)
    network = Attending().eval()
    with torch.no_grad():
        for weight in weights_of(network, prunable_layers(network)).values():
            weight[weight.abs() < weight.abs().median()] = 0.0
            weight[0] = 0.0
    return network


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("packed")


def bits(state):
    return {name: tensor.numpy().tobytes() for name, tensor in state.items()}


def test_each_output_channel_has_its_own_scale_and_its_largest_weight_the_code_100():
    codes, scales = quantize(torch.tensor([[1.0, -0.64, 0.0], [0.1, -20.0, 0.31]]))
    assert codes.tolist() == [[100, -64, 0], [0, -100, 2]]
    assert codes.dtype == torch.int8
    assert scales.tolist() == [0.010009765625, 0.2001953125]  # in 8 bits
    assert scales.dtype == torch.float32


def test_a_weight_of_many_channels_is_quantized_as_each_of_them_alone():
    torch.manual_seed(0)
    weight = torch.randn(300, 2000)
    codes, scales = quantize(weight)
    for channel in (0, 131, 132, 299):
        alone, scale = quantize(weight[channel : channel + 1])
        assert torch.equal(codes[channel], alone[0])
        assert scales[channel] == scale[0]


def test_halves_are_rounded_to_even():
    codes, scales = quantize(torch.tensor([[100.0, 0.5, 1.5, 2.5, -0.5, -1.5]]))
    assert scales.tolist() == [1.0]
    assert codes.tolist() == [[100, 0, 2, 2, 0, -2]]


def test_a_weight_comes_back_as_its_code_times_the_scale():
    codes = torch.tensor([[[3, -127]], [[0, 1]]], dtype=torch.int8)
    weight = dequantize(codes, torch.tensor([0.5, 4.0]))
    assert weight.tolist() == [[[1.5, -63.5]], [[0.0, 4.0]]]


def test_a_channel_of_zeros_has_codes_of_zero_and_the_smallest_normal_scale():
    codes, scales = quantize(torch.tensor([[0.0, -0.0], [0.0, 100.0]]))
    assert codes.tolist() == [[0, 0], [0, 100]]
    assert scales.tolist() == [SMALLEST_SCALE, 1.0]
    assert math.copysign(1.0, dequantize(codes, scales)[0, 1]) == 1.0


@pytest.mark.parametrize(
    ("weight", "code"),
    [
        (SMALLEST_SUBNORMAL, 0),
        (SMALLEST_SCALE / 2, 0),  # half of the smallest scale, to even
        (SMALLEST_SCALE, 1),
        (3 * SMALLEST_SCALE, 3),
        (100 * SMALLEST_SCALE, 100),
        (LARGEST * 0.99, 100),
        (-LARGEST * 0.99, -100),
    ],
)
def test_no_magnitude_overflows(weight, code):
    codes, scales = quantize(torch.tensor([[weight, 0.0]]))
    assert codes.tolist() == [[code, 0]]
    assert dequantize(codes, scales).isfinite().all()


@pytest.mark.parametrize(
    ("shape", "num_channels"),
    [
        ((), 1),
        ((1,), 1),
        ((3,), 3),
        ((0,), 0),
        ((3, 0), 3),
        ((0, 3), 0),
        ((2, 3), 2),
        ((2, 1, 3, 2), 2),
        ((2, 1, 3, 2, 1), 2),
    ],
)
def test_any_shape_comes_back_in_its_shape(shape, num_channels):
    weight = torch.full(shape, -2.5)
    codes, scales = quantize(weight)
    assert (codes.shape, scales.shape) == (shape, (num_channels,))
    assert codes.eq(-100).all()
    assert dequantize(codes, scales).shape == shape


def test_the_order_of_a_weight_in_memory_does_not_matter():
    torch.manual_seed(0)
    weight = torch.randn(4, 3, 2, 2)
    codes, scales = quantize(weight)
    strided_codes, strided_scales = quantize(weight.to(memory_format=torch.channels_last))
    assert torch.equal(codes, strided_codes)
    assert torch.equal(scales, strided_scales)


@given(
    largest=st.floats(0, 2.0**127, width=32),
    parts=st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=20),
)
def test_no_weight_moves_by_more_than_half_a_scale_and_a_second_time_nothing_moves(largest, parts):
    weight = largest * torch.tensor([[1.0, *parts]])
    codes, scales = quantize(weight)
    rounded = dequantize(codes, scales)
    # Beyond the half, what float32 rounds of quotient and product.
    moved = (rounded.double() - weight.double()).abs().max()
    assert moved <= float(scales) / 2 + 100 * float(scales) * 2**-23
    again, same_scales = quantize(rounded)
    assert torch.equal(again, codes)
    assert torch.equal(same_scales, scales)


def test_the_scale_of_every_mantissa_is_found_again():
    # Powers of two change nothing, so that all 2**23 mantissas are all there is to try.
    largest = torch.arange(2**23, dtype=torch.int32).add_(127 << 23).view(torch.float32)
    codes, scales = quantize(largest)
    assert torch.equal(quantize(dequantize(codes, scales))[1], scales)


@pytest.mark.parametrize("values", ["bfloat16", "float16", "int8"])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_refused_by_its_name(values, bad):
    with pytest.raises(
        PackedFormatError, match=rf"Tensor 'fc' must be finite to be stored as {values}, also once"
    ):
        round_weight(torch.tensor([[1.0, 2.0], [bad, 1.0]]), values, name="fc")


@pytest.mark.parametrize(
    ("values", "too_large"),
    [("float16", 65520.0), ("bfloat16", LARGEST), ("int8", LARGEST)],
    ids=str,
)
def test_what_is_too_large_for_its_kind_is_refused(values, too_large):
    with pytest.raises(PackedFormatError, match=rf"stored as {values}.* a number too large for it"):
        round_weight(torch.tensor([too_large]), values)


def test_halves_of_sixteen_bits_are_rounded_to_even_too():
    weight = torch.tensor([1 + 2.0**-11, 1 + 3 * 2.0**-11, 1 + 2.0**-8, 1 + 3 * 2.0**-8])
    assert round_weight(weight[:2], "float16").tolist() == [1.0, 1 + 2 * 2.0**-10]
    assert round_weight(weight[2:], "bfloat16").tolist() == [1.0, 1 + 2 * 2.0**-7]


def test_float32_stays_bit_for_bit_whatever_it_holds_and_is_a_copy():
    weight = torch.tensor([math.nan, -0.0, SMALLEST_SUBNORMAL, -math.inf])
    rounded = round_weight(weight, "float32")
    assert rounded.numpy().tobytes() == weight.numpy().tobytes()
    assert rounded.data_ptr() != weight.data_ptr()


def test_an_unknown_kind_of_values_is_refused():
    with pytest.raises(
        ConfigError, match="values must be one of float32, bfloat16, float16, int8, got 'int4'"
    ):
        round_weight(torch.ones(1), "int4")


@pytest.mark.parametrize("values", VALUE_KINDS)
@given(weights=st.lists(st.just(0.0) | st.floats(-60000, 60000, width=32), min_size=1, max_size=30))
def test_zeros_stay_zero(values, weights):
    weight = torch.tensor(weights).view(1, -1)
    rounded = round_weight(weight, values)
    assert rounded[weight == 0].eq(0).all()
    assert rounded.dtype == torch.float32


def test_rounding_a_network_moves_its_prunable_weights_and_nothing_else(model):
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    places = {name: tensor.data_ptr() for name, tensor in model.state_dict().items()}
    round_weights_(model, "int8")
    after = model.state_dict()
    moved = {name for name, tensor in after.items() if not torch.equal(tensor, before[name])}
    assert moved == {
        "conv.weight",
        "deep.weight",
        "attention.in_proj_weight",
        "attention.out_proj.weight",
        "fc.weight",
    }
    assert places == {name: tensor.data_ptr() for name, tensor in after.items()}
    assert all(torch.equal(after[name], round_weight(before[name], "int8")) for name in moved)


def test_rounding_keeps_the_memory_format(model):
    model.conv.to(memory_format=torch.channels_last)
    round_weights_(model, "int8")
    assert model.conv.weight.is_contiguous(memory_format=torch.channels_last)


def test_a_network_with_a_weight_that_is_not_finite_names_its_layer(model):
    with torch.no_grad():
        model.attention.in_proj_weight[2, 1] = math.nan
    with pytest.raises(PackedFormatError, match=r"Tensor 'attention\.in_proj_weight' must be"):
        round_weights_(model, "int8")


def test_a_network_without_prunable_layers_is_refused():
    with pytest.raises(LayerError, match="must have a convolution or a linear layer"):
        round_weights_(nn.Sequential(nn.ReLU()), "int8")


@pytest.mark.parametrize("values", VALUE_KINDS)
def test_a_packed_file_gives_back_what_rounding_in_place_gives(model, folder, values):
    path = folder / f"{values}.safetensors"
    save_packed(path, model, SPEC, values=values)
    round_weights_(model, values)
    assert bits(read_packed(path).state) == bits(model.state_dict())
    loaded = load_packed(path, factory=Attending)
    assert bits(loaded.state_dict()) == bits(model.state_dict())
    images = torch.rand(2, 3, 16, 16)
    assert torch.equal(loaded(images), model(images))


@pytest.mark.parametrize("values", VALUE_KINDS)
def test_a_rounded_network_makes_the_file_that_the_network_itself_makes(model, folder, values):
    save_packed(folder / "first", model, SPEC, values=values)
    round_weights_(model, values)
    save_packed(folder / "second", model, SPEC, values=values)
    assert (folder / "first").read_bytes() == (folder / "second").read_bytes()


@pytest.mark.parametrize("values", VALUE_KINDS)
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_zeros_stay_zero_through_a_packed_file(folder, values, data):
    torch.manual_seed(data.draw(st.integers(0, 2**31), label="seed"))
    network = Attending()
    layers = prunable_layers(network)
    kept = {x.name: data.draw(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0])) for x in layers}
    masks = {x.name: torch.rand(x.shape) < kept[x.name] for x in layers}
    with torch.no_grad():
        for name, weight in weights_of(network, layers).items():
            weight.mul_(masks[name])
    save_packed(folder / "zeros", network, SPEC, values=values)
    loaded = weights_of(load_packed(folder / "zeros", factory=Attending), layers)
    assert all(loaded[name][~mask].eq(0).all() for name, mask in masks.items())
