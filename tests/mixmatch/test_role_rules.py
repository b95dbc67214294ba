from collections import Counter

import pytest
import timm
import torch
from torch import nn
from torchvision import models

from mixmatch.layers import prunable_layers

TIMM_TABLE = {
    "resnet18": {"stem": 1, "convolution": 16, "downsample": 3, "classifier": 1},
    "resnet26d": {"stem": 3, "convolution": 24, "downsample": 4, "classifier": 1},
    # Four convolutions; 12 blocks and 2 downsamplings with kv and q; two heads.
    "levit_384": {
        "patch_embedding": 4,
        "attention_qkv": 16,
        "attention_projection": 14,
        "mlp": 28,
        "classifier": 2,
    },
    "swin_tiny_patch4_window7_224": {
        "patch_embedding": 1,
        "attention_qkv": 12,
        "attention_projection": 12,
        "mlp": 24,
        "downsample": 3,
        "classifier": 1,
    },
    "vit_tiny_patch16_224": {
        "patch_embedding": 1,
        "attention_qkv": 12,
        "attention_projection": 12,
        "mlp": 24,
        "classifier": 1,
    },
    "deit_tiny_distilled_patch16_224": {
        "patch_embedding": 1,
        "attention_qkv": 12,
        "attention_projection": 12,
        "mlp": 24,
        "classifier": 2,
    },
    "convnext_atto": {
        "stem": 1,
        "convolution": 12,
        "mlp": 24,
        "downsample": 3,
        "classifier": 1,
    },
    # "other" are squeeze-and-excitation gates.
    "mobilenetv3_small_100": {"stem": 1, "convolution": 34, "other": 18, "classifier": 1},
    "efficientnet_b0": {"stem": 1, "convolution": 48, "other": 32, "classifier": 1},
    "regnetx_002": {"stem": 1, "convolution": 39, "downsample": 4, "classifier": 1},
    # Convolutions and attention mixed: no layer but the first two reads patches.
    "coatnet_nano_rw_224": {
        "stem": 2,
        "convolution": 21,
        "other": 14,
        "downsample": 3,
        "attention_qkv": 9,
        "attention_projection": 9,
        "mlp": 18,
        "classifier": 1,
    },
    "mixer_s16_224": {"patch_embedding": 1, "mlp": 32, "classifier": 1},
}


@pytest.fixture(autouse=True)
def _no_memory():
    """Roles depend on structure alone, so no weight need exist."""
    with torch.device("meta"):
        yield


def num_by_role(model):
    return dict(Counter(layer.role.value for layer in prunable_layers(model)))


def roles(model):
    return {layer.name: layer.role.value for layer in prunable_layers(model)}


@pytest.mark.parametrize("name", TIMM_TABLE)
def test_layers_per_role_of_timm_models(name):
    assert num_by_role(timm.create_model(name, pretrained=False)) == TIMM_TABLE[name]


def test_levit_attention_downsampling_holds_queries_keys_and_a_projection():
    found = roles(timm.create_model("levit_384", pretrained=False))
    block = "stages.1.downsample"
    assert found[f"{block}.attn_downsample.kv.linear"] == "attention_qkv"
    assert found[f"{block}.attn_downsample.q.ln.linear"] == "attention_qkv"
    assert found[f"{block}.attn_downsample.proj.ln.linear"] == "attention_projection"
    assert found[f"{block}.mlp.ln1.linear"] == "mlp"
    assert found["stem.conv4.linear"] == "patch_embedding"
    assert found["head_dist.linear"] == "classifier"


def test_patch_merging_of_swin_is_a_downsampling():
    found = roles(timm.create_model("swin_tiny_patch4_window7_224", pretrained=False))
    assert found["layers.1.downsample.reduction"] == "downsample"


@pytest.mark.parametrize("name", ["vgg11", "vgg11_bn", "alexnet"])
def test_all_fully_connected_layers_of_a_torchvision_vgg_head_are_classifiers(name):
    model = models.get_model(name)
    num_convolutions = sum(isinstance(x, nn.Conv2d) for x in model.modules())
    assert num_by_role(model) == {
        "stem": 1,
        "convolution": num_convolutions - 1,
        "classifier": 3,
    }


def test_the_head_of_timm_vgg_counts_its_convolutions_in_the_place_of_linear_layers():
    model = timm.create_model("vgg11_bn", pretrained=False)
    assert num_by_role(model) == {"stem": 1, "convolution": 7, "classifier": 3}


@pytest.mark.parametrize("name", ["vit_b_32", "swin_t"])
def test_transformers_of_torchvision_state_nothing_and_are_read_all_the_same(name):
    counts = num_by_role(models.get_model(name))
    assert counts.pop("downsample", 3) == 3
    assert counts == {
        "patch_embedding": 1,
        "attention_qkv": 12,
        "attention_projection": 12,
        "mlp": 24,
        "classifier": 1,
    }


def test_a_plain_sequential_has_a_stem_and_a_classifier():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2))
    assert roles(model) == {"0": "stem", "3": "classifier"}


def test_a_plain_sequential_with_two_linear_layers_is_a_small_vgg():
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.Flatten(), nn.Linear(16, 8), nn.Linear(8, 2)
    )
    assert list(roles(model).values()) == ["stem", "convolution", "classifier", "classifier"]


def test_without_convolutions_only_the_last_linear_layer_is_a_classifier():
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 2))
    assert roles(model) == {"1": "mlp", "3": "classifier"}


def test_without_linear_layers_the_last_convolution_is_the_classifier():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 2, 1))
    assert roles(model) == {"0": "stem", "1": "convolution", "2": "classifier"}


def test_a_single_convolution_is_a_stem():
    assert roles(nn.Sequential(nn.Conv2d(3, 4, 3))) == {"0": "stem"}


def test_the_stated_stem_and_head_win_over_the_order():
    class Backwards(nn.Module):
        def __init__(self):
            super().__init__()
            self.score = nn.Linear(4, 2)
            self.late = nn.Conv2d(4, 4, 3)
            self.entry = nn.Conv2d(3, 4, 3)
            self.pretrained_cfg = {"first_conv": "entry", "classifier": ["score"]}

    assert roles(Backwards()) == {"score": "classifier", "late": "convolution", "entry": "stem"}


def test_a_head_replaced_by_a_sequence_is_a_classifier_throughout():
    model = timm.create_model("resnet18", pretrained=False)
    model.fc = nn.Sequential(nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, 10))
    found = roles(model)
    assert (found["fc.0"], found["fc.2"]) == ("classifier", "classifier")


def test_a_headless_timm_model_has_no_classifier():
    model = timm.create_model("vit_tiny_patch16_224", pretrained=False, num_classes=0)
    assert "classifier" not in num_by_role(model)


def test_torch_encoder_layers_hold_attention_and_mlp():
    encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    model = nn.Sequential(nn.Conv2d(3, 8, 4, 4), encoder, nn.Linear(8, 2))
    assert roles(model) == {
        "0": "patch_embedding",
        "1.self_attn.in_proj_weight": "attention_qkv",
        "1.self_attn.out_proj": "attention_projection",
        "1.linear1": "mlp",
        "1.linear2": "mlp",
        "2": "classifier",
    }


def test_a_network_named_after_attention_does_not_color_what_it_holds():
    class AttentionNet(nn.Sequential):
        pass

    model = nn.Sequential(AttentionNet(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)), nn.Linear(4, 2))
    assert list(roles(model).values()) == ["stem", "convolution", "classifier"]
