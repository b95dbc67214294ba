"""A small network of convolutions, quantized for real."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from mixmatch.errors import ConfigError
from tasks.onnx_files import OnnxNetwork, to_int8, with_weights

LAYER = "layer1.0.conv1.weight"
PROPERTIES = {"classes": '["circle", "square", "star"]', "packed_digest": "d" * 64}


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((40, 3, 32, 32), dtype=np.float32)


@pytest.fixture(scope="module")
def pruned(make_network):
    """Return a network with every other weight of all its convolutions and its classifier zero."""
    model = make_network(0)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            parameter.data.view(-1)[::2] = 0
    return model


@pytest.fixture(scope="module")
def float32(graph, pruned):
    return with_weights(graph, pruned.state_dict(), PROPERTIES)


@pytest.fixture(scope="module")
def int8(float32, images):
    return to_int8(float32, images)


@pytest.fixture(scope="module")
def codes(int8):
    """Return the int8 tensors of the quantized file of more than one dimension."""
    found = (numpy_helper.to_array(x) for x in onnx.ModelProto.FromString(int8).graph.initializer)
    return [x for x in found if x.dtype == np.int8 and x.ndim > 1]


def test_zeros_stay_zero(pruned, codes):
    weights = [x.detach().numpy() for x in pruned.parameters() if x.ndim > 1]
    assert len(codes) == len(weights) == 16
    for weight in weights:
        # By their shape and their zeros: the quantizer gives them names of its own.
        matching = [x for x in codes if x.shape == weight.shape and not x[weight == 0].any()]
        assert matching
    assert sum(int((x == 0).sum()) for x in codes) >= sum(int((x == 0).sum()) for x in weights)


def test_zero_points_of_weights_are_zero(int8, codes):
    graph = onnx.ModelProto.FromString(int8).graph
    tensors = {x.name: numpy_helper.to_array(x) for x in graph.initializer}
    of_weights = [
        node
        for node in graph.node
        if node.op_type == "DequantizeLinear"
        and tensors.get(node.input[0], codes[0]).ndim > 1
        and node.input[0] in tensors
    ]
    assert len(of_weights) == len(codes)
    for node in of_weights:
        codes_of, scales, zeros = (tensors[name] for name in node.input)
        assert scales.shape == (codes_of.shape[node.attribute[0].i],)
        assert not zeros.any()


def test_codes_have_7_bits_so_that_no_processor_overflows(codes):
    assert max(int(np.abs(x.astype(int)).max()) for x in codes) == 64


def test_logits_stay_close(float32, int8, images):
    ours, theirs = (OnnxNetwork(x, threads=1)(images) for x in (float32, int8))
    # The error of a network that was never trained; a wrong scale would be off by its whole range.
    assert np.abs(ours - theirs).max() < 0.1 * (ours.max() - ours.min())


def test_the_file_is_a_quarter_as_large(float32, int8):
    assert len(int8) < 0.3 * len(float32)


def test_it_says_what_the_original_said(float32, int8):
    before, after = (onnx.ModelProto.FromString(x) for x in (float32, int8))
    assert {x.key: x.value for x in after.metadata_props} == PROPERTIES
    assert after.producer_name == "mixmatch"
    assert [x.domain for x in after.opset_import] == [""]
    for part in ("input", "output"):
        ours, theirs = getattr(before.graph, part), getattr(after.graph, part)
        assert (theirs[0].name, theirs[0].doc_string) == (ours[0].name, ours[0].doc_string)
        assert theirs[0].type == ours[0].type


def test_equal_input_gives_equal_bytes(float32, int8, images):
    assert to_int8(float32, images) == int8


def test_the_quantizer_has_nothing_to_complain_about(float32, images, caplog, capfd):
    to_int8(float32, images[:2])
    assert [record.message for record in caplog.records] == []
    assert capfd.readouterr() == ("", "")


def test_calibration_needs_an_image(float32, images):
    message = r"^Calibration for int8 must read at least one image, got none\.$"
    with pytest.raises(ConfigError, match=message):
        to_int8(float32, images[:0])
