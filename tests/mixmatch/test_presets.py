"""Published tables of ranges, on the networks that they were made for; no weight is drawn."""

from typing import get_args

import pytest
import timm
import torch

from mixmatch.config.ranges import Preset
from mixmatch.errors import ConfigError
from mixmatch.layers import prunable_layers
from mixmatch.presets import PRESETS, preset_ranges
from mixmatch.ranges import SparsityRange
from mixmatch.roles import LayerRole, PrunableLayer
from mixmatch.strategies import plan
from mixmatch.vgg import vgg11_cifar

# The paper's table for Swin-Tiny on CIFAR-100, in percent (METHOD, section 7).
SWIN_PUBLISHED = {
    "aggressive": 49.75,
    "conservative": 33.19,
    "balanced": 41.47,
    "mlp_heavy": 42.60,
    "attention_aggressive": 44.61,
    "percentile_30": 38.16,
    "percentile_50": 41.47,
    "percentile_70": 44.78,
    "percentile_90": 48.10,
    "parameter_share": 40.93,
}


def layers_of(architecture, num_classes, **arguments):
    with torch.device("meta"):
        if architecture == "vgg11_cifar":
            return prunable_layers(vgg11_cifar(num_classes=num_classes))
        return prunable_layers(
            timm.create_model(architecture, num_classes=num_classes, **arguments)
        )


def ranges_by_path(preset, layers):
    return {name: (x.low, x.high) for name, x in preset_ranges(preset, layers).items()}


@pytest.fixture(scope="module")
def swin():
    return layers_of("swin_tiny_patch4_window7_224", 100, img_size=32)


@pytest.mark.parametrize(("strategy", "published_pct"), SWIN_PUBLISHED.items())
def test_swin_gives_the_published_sparsities(swin, strategy, published_pct):
    record = plan(strategy, swin, preset_ranges("swin", swin))
    # The paper rounds to 0.01 points, and its code truncates counts.
    assert 100 * record.sparsity == pytest.approx(published_pct, abs=0.011)


def test_swin_has_one_range_per_stage_and_part(swin):
    ranges = ranges_by_path("swin", swin)
    assert list(ranges) == [layer.name for layer in swin]
    assert ranges["patch_embed.proj"] == (0.0, 0.10)
    assert ranges["layers.1.downsample.reduction"] == (0.05, 0.20)
    assert ranges["head.fc"] == (0.0, 0.15)
    third = [ranges[f"layers.2.blocks.5.{x}"] for x in ("attn.qkv", "attn.proj")]
    assert third == [(0.20, 0.40), (0.30, 0.50)]
    last = [ranges[f"layers.3.blocks.1.mlp.{x}"] for x in ("fc1", "fc2")]
    assert last == [(0.45, 0.60), (0.40, 0.55)]


def test_resnet_has_one_range_per_stage():
    ranges = ranges_by_path("resnet", layers_of("resnet18", 43))
    assert len(ranges) == 21
    assert ranges["conv1"] == (0.0, 0.30)
    assert ranges["layer1.0.conv1"] == (0.30, 0.50)
    assert ranges["layer2.1.conv2"] == (0.40, 0.60)
    assert ranges["layer3.0.conv1"] == (0.50, 0.70)
    assert ranges["layer4.1.conv2"] == (0.75, 0.95)
    assert ranges["layer4.0.downsample.0"] == (0.0, 0.20)
    assert ranges["fc"] == (0.0, 0.30)


def test_vgg_goes_by_size():
    assert ranges_by_path("vgg", layers_of("vgg11_cifar", 10)) == {
        "features.0": (0.0, 0.10),
        "features.4": (0.40, 0.60),  # 64 to 128
        "features.8": (0.55, 0.70),  # 128 to 256
        "features.11": (0.55, 0.70),  # 256 to 256
        "features.15": (0.65, 0.80),  # 256 to 512
        "features.18": (0.75, 0.92),  # 512 to 512
        "features.22": (0.75, 0.92),
        "features.25": (0.75, 0.92),
        "classifier.0": (0.88, 0.96),  # 512 to 4096
        "classifier.3": (0.92, 0.98),  # 4096 to 4096
        "classifier.6": (0.85, 0.95),  # 4096 to 10
    }


def test_vgg_knows_the_paths_of_timm_too():
    ranges = ranges_by_path("vgg", layers_of("vgg11_bn", 10))
    assert ranges["pre_logits.fc1"] == (0.92, 0.98)
    assert ranges["pre_logits.fc2"] == (0.88, 0.96)
    assert ranges["head.fc"] == (0.85, 0.95)


def test_of_equally_large_layers_the_first_is_the_larger():
    layers = [
        PrunableLayer(f"classifier.{index}", LayerRole.CLASSIFIER, index, 0.0, (4,), 4)
        for index in range(3)
    ]
    assert list(ranges_by_path("vgg", layers).values()) == [
        (0.92, 0.98),
        (0.88, 0.96),
        (0.85, 0.95),
    ]


def test_statements_of_the_run_file_win_and_stand_in_for_rows():
    layers = layers_of("resnet18", 10)
    own = PrunableLayer("adapter", LayerRole.OTHER, len(layers), 1.0, (8,), 8)
    stated = {"adapter": SparsityRange(0.1, 0.2), "fc": SparsityRange(0.5, 0.6)}
    ranges = preset_ranges("resnet", (*layers, own), stated)
    assert (ranges["adapter"], ranges["fc"]) == (stated["adapter"], stated["fc"])
    assert ranges["conv1"] == SparsityRange(0.0, 0.30)


def test_a_layer_without_a_row_is_named():
    message = (
        r"ranges.preset swin must have a row for every prunable layer, but has none for 'conv1'; "
        "state its range in ranges.layers"
    )
    with pytest.raises(ConfigError, match=message):
        preset_ranges("swin", layers_of("resnet18", 10))


def test_refuses_an_unknown_preset():
    with pytest.raises(ConfigError, match="must be one of swin, resnet, vgg, got 'levit'"):
        preset_ranges("levit", [])


def test_the_run_file_knows_exactly_these_presets():
    assert tuple(PRESETS) == get_args(Preset)


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_says_where_it_comes_from(preset):
    assert PRESETS[preset.name] is preset
    assert "arXiv 2603.20280" in preset.source
