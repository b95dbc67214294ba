"""LeViT and Swin keep what they compute from their weights, which a graph must not keep."""

import numpy as np
import onnx
import pytest
import torch

from tasks.onnx_files import OnnxNetwork, graph_of, to_int8, with_weights

LEVIT = {
    "name": "levit_128s",
    "img_size": 32,
    "embed_dim": (16, 24),
    "key_dim": 8,
    "num_heads": (2, 3),
    "depth": (1, 1),
}
SWIN = {
    "name": "swin_tiny_patch4_window7_224",
    "img_size": 32,
    "window_size": 4,
    "depths": (2, 2),
    "embed_dim": 16,
    "num_heads": (1, 2),
}
NETWORKS = pytest.mark.parametrize("network", [LEVIT, SWIN], ids=["levit", "swin"])
ROUNDING = {"rtol": 1e-4, "atol": 1e-5}  # float32, summed up in another order


@pytest.fixture(scope="module")
def graphs(make_network, make_spec):
    """Return the graph of a network, exported once after the network was used."""
    known = {}

    def graph(network):
        if network["name"] not in known:
            used = make_network(0, **network)
            with torch.inference_mode():
                used(torch.zeros(1, 3, 32, 32))
            known[network["name"]] = graph_of(used, make_spec())
        return known[network["name"]]

    return graph


@pytest.fixture
def images():
    return np.random.default_rng(0).random((6, 3, 32, 32), dtype=np.float32)


@NETWORKS
def test_another_networks_weights_give_its_logits(
    graphs, make_network, make_spec, logits_of, images, network
):
    model = make_network(1, **network)
    for name, parameter in model.named_parameters():
        if "attention_biases" in name or "relative_position_bias_table" in name:
            parameter.data.normal_()
    found = OnnxNetwork(with_weights(graphs(network), model.state_dict()), threads=1)(images)
    np.testing.assert_allclose(found, logits_of(model, images, make_spec()), **ROUNDING)


@NETWORKS
def test_products_with_weights_are_quantized_and_those_of_attention_are_not(
    graphs, make_network, images, network, caplog
):
    content = with_weights(graphs(network), make_network(0, **network).state_dict())
    caplog.clear()
    graph = onnx.ModelProto.FromString(to_int8(content, images)).graph
    assert [record.message for record in caplog.records] == []
    maker = {output: node.op_type for node in graph.node for output in node.output}
    products = [node for node in graph.node if node.op_type in {"MatMul", "Gemm", "Conv"}]
    kinds = {tuple(maker.get(x) == "DequantizeLinear" for x in node.input[:2]) for node in products}
    assert kinds == {(True, True), (False, False)}
    attention = [node for node in products if maker.get(node.input[1]) != "DequantizeLinear"]
    assert {node.op_type for node in attention} == {"MatMul"}
    num_blocks = sum(node.op_type == "Softmax" for node in graph.node)
    assert len(attention) == 2 * num_blocks
