"""Strategies: the position of each layer in its range, and the plan that follows."""

import subprocess
import sys

import pytest

from mixmatch.digests import json_digest
from mixmatch.errors import ConfigError
from mixmatch.ranges import SparsityRange
from mixmatch.roles import LayerRole, PrunableLayer
from mixmatch.strategies import plan

NETWORK = (
    ("conv1", LayerRole.STEM, 100),
    ("layer1.0.conv1", LayerRole.CONVOLUTION, 200),
    ("layer2.0.downsample.0", LayerRole.DOWNSAMPLE, 300),
    ("layer2.0.conv2", LayerRole.CONVOLUTION, 1300),
    ("fc", LayerRole.CLASSIFIER, 100),
)
TRANSFORMER = (
    ("patch_embed.proj", LayerRole.PATCH_EMBEDDING, 100),
    ("stages.0.blocks.0.attn.qkv", LayerRole.ATTENTION_QKV, 100),
    ("stages.0.blocks.0.attn.proj", LayerRole.ATTENTION_PROJECTION, 100),
    ("stages.1.blocks.0.mlp.fc1", LayerRole.MLP, 100),
    ("head", LayerRole.CLASSIFIER, 100),
)


def layers_of(network):
    last = max(1, len(network) - 1)
    return [
        PrunableLayer(name, role, index, index / last, (size,), size)
        for index, (name, role, size) in enumerate(network)
    ]


def positions(strategy, network):
    """With the range [0, 1] a layer's sparsity is its position."""
    layers = layers_of(network)
    record = plan(strategy, layers, {x.name: SparsityRange(0.0, 1.0) for x in layers})
    return list(record.layers.values())


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("conservative", [0.0] * 5),
        ("aggressive", [1.0] * 5),
        ("balanced", [0.5] * 5),
        ("percentile_30", [0.3] * 5),
        ("percentile_50", [0.5] * 5),
        ("percentile_70", [0.7] * 5),
        ("percentile_90", [0.9] * 5),
        ("parameter_proportional", [0.025, 0.05, 0.075, 0.325, 0.025]),  # n_mean is 400
        ("parameter_share", [0.5, 1.0, 1.0, 1.0, 0.5]),  # N is 2000
        ("classifier_heavy", [0.0, 0.25, 0.5, 0.75, 1.0]),
        ("feature_heavy", [1.0, 0.75, 0.5, 0.25, 0.0]),
        ("fc_heavy", [0.0, 0.0, 0.0, 0.0, 1.0]),
        ("head_heavy", [0.0, 0.0, 0.0, 0.0, 1.0]),
        ("late_stage_aggressive", [0.5, 0.5, 1.0, 1.0, 0.5]),
        ("conv_aggressive", [0.5, 1.0, 0.5, 1.0, 0.5]),
        ("mlp_heavy", [0.0] * 5),
    ],
)
def test_positions_in_a_convolutional_network(strategy, expected):
    assert positions(strategy, NETWORK) == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("mlp_aggressive", [0.5, 0.5, 0.5, 1.0, 0.5]),
        ("mlp_heavy", [0.0, 0.0, 0.0, 1.0, 0.0]),
        ("attention_aggressive", [0.5, 1.0, 1.0, 0.5, 0.5]),
        ("late_stage_aggressive", [0.5, 0.5, 0.5, 1.0, 0.5]),
        ("feature_heavy", [1.0, 0.75, 0.5, 0.25, 0.0]),
    ],
)
def test_positions_in_a_transformer(strategy, expected):
    assert positions(strategy, TRANSFORMER) == expected


def test_every_fully_connected_layer_of_a_long_head_is_classifier():
    network = (*NETWORK[:2], *((f"head.{i}", LayerRole.CLASSIFIER, 100) for i in range(3)))
    assert positions("classifier_heavy", network) == [0.0, 0.25, 1.0, 1.0, 1.0]
    assert positions("feature_heavy", network) == [1.0, 0.75, 0.0, 0.0, 0.0]


def test_a_share_never_passes_the_top_of_the_range():
    network = (("big", LayerRole.CONVOLUTION, 10**6), *((f"x{i}", "other", 1) for i in range(20)))
    assert positions("parameter_proportional", network)[0] == 1.0


def test_no_layer_is_in_the_last_stage_of_a_network_without_numbers():
    network = (("a", LayerRole.CONVOLUTION, 10), ("b", LayerRole.CONVOLUTION, 10))
    assert positions("late_stage_aggressive", network) == [0.5, 0.5]


def test_the_last_stage_of_numbered_layers_is_those_of_one_width():
    vgg = (
        ("features.0", LayerRole.STEM, 64),
        ("features.4", LayerRole.CONVOLUTION, 128),
        ("features.18", LayerRole.CONVOLUTION, 512),
        ("features.25", LayerRole.CONVOLUTION, 512),
        ("classifier.0", LayerRole.CLASSIFIER, 4096),
    )
    assert positions("late_stage_aggressive", vgg) == [0.5, 0.5, 1.0, 1.0, 0.5]


def test_a_plan_counts_exactly():
    layers = layers_of((("a", LayerRole.CONVOLUTION, 10), ("b", LayerRole.CLASSIFIER, 30)))
    record = plan("balanced", layers, {"a": SparsityRange(0.2, 0.3), "b": SparsityRange(0.6, 1.0)})
    assert record.name == "balanced"
    assert record.layers == {"a": 0.25, "b": 0.8}
    assert record.num_pruned == {"a": 2, "b": 24}  # 2.5 is rounded half to even
    assert record.sparsity == 26 / 40
    assert record.digest == json_digest({"a": 2, "b": 24})


def test_a_plan_leaves_one_weight_even_at_sparsity_one():
    layers = layers_of(NETWORK)
    record = plan("aggressive", layers, {x.name: SparsityRange(0.0, 1.0) for x in layers})
    assert list(record.num_pruned.values()) == [99, 199, 299, 1299, 99]


def test_refuses_an_unknown_strategy():
    with pytest.raises(ConfigError, match=r"A strategy must be one of conservative, .*got 'bold'"):
        plan("bold", layers_of(NETWORK), {})


def test_plans_are_made_without_loading_torch():
    code = "import sys, mixmatch.strategies; raise SystemExit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
