"""Every layer of the networks that must be right, by name; checked against the architectures.

In a pattern ``{0-3}`` stands for 0, 1, 2, 3 and ``{q,kv}`` for q, kv.
"""

import functools
import itertools
import re

import pytest
import torch
from torch import nn

from mixmatch.layers import prunable_layers
from mixmatch.models import build_model
from mixmatch.records import ModelSpec

_PLAIN_TRANSFORMER = {
    "patch_embedding": (1, "patch_embed.proj"),
    "attention_qkv": (12, "blocks.{0-11}.attn.qkv"),
    "attention_projection": (12, "blocks.{0-11}.attn.proj"),
    "mlp": (24, "blocks.{0-11}.mlp.fc{1,2}"),
    "classifier": (1, "head"),
}
_SWIN_BLOCKS = ("layers.{0,1,3}.blocks.{0,1}", "layers.2.blocks.{0-5}")
_LEVIT_BLOCKS = "stages.{0-2}.blocks.{0-3}"
_LEVIT_DOWN = "stages.{1,2}.downsample"
# Squeeze-and-excitation gates are "other" in both.
_GATED_MOBILE = ("blocks.{2,4}.{0-2}", "blocks.3.{0,1}")
_EFFICIENT = ("blocks.{1,2}.{0,1}", "blocks.{3,4}.{0-2}", "blocks.5.{0-3}", "blocks.6.0")
_REGNET = ("s{1,2}.b1", "s3.b{1-4}", "s4.b{1-7}")

GOLDEN = {
    "vgg11_cifar": {
        "stem": (1, "features.0"),
        "convolution": (7, "features.{4,8,11,15,18,22,25}"),
        "classifier": (3, "classifier.{0,3,6}"),
    },
    "resnet18": {
        "stem": (1, "conv1"),
        "convolution": (16, "layer{1-4}.{0,1}.conv{1,2}"),
        "downsample": (3, "layer{2-4}.0.downsample.0"),
        "classifier": (1, "fc"),
    },
    "levit_384": {
        "patch_embedding": (4, "stem.conv{1-4}.linear"),
        "attention_qkv": (
            16,
            f"{_LEVIT_BLOCKS}.attn.qkv.linear",
            f"{_LEVIT_DOWN}.attn_downsample.{{kv,q.ln}}.linear",
        ),
        "attention_projection": (
            14,
            f"{_LEVIT_BLOCKS}.attn.proj.ln.linear",
            f"{_LEVIT_DOWN}.attn_downsample.proj.ln.linear",
        ),
        "mlp": (28, f"{_LEVIT_BLOCKS}.mlp.ln{{1,2}}.linear", f"{_LEVIT_DOWN}.mlp.ln{{1,2}}.linear"),
        "classifier": (2, "head.linear", "head_dist.linear"),
    },
    "swin_tiny_patch4_window7_224": {
        "patch_embedding": (1, "patch_embed.proj"),
        "attention_qkv": (12, *(f"{block}.attn.qkv" for block in _SWIN_BLOCKS)),
        "attention_projection": (12, *(f"{block}.attn.proj" for block in _SWIN_BLOCKS)),
        "mlp": (24, *(f"{block}.mlp.fc{{1,2}}" for block in _SWIN_BLOCKS)),
        "downsample": (3, "layers.{1-3}.downsample.reduction"),
        "classifier": (1, "head.fc"),
    },
    "vit_tiny_patch16_224": _PLAIN_TRANSFORMER,
    "deit_tiny_patch16_224": _PLAIN_TRANSFORMER,
    "convnext_atto": {
        "stem": (1, "stem.0"),
        "convolution": (12, "stages.{0,1,3}.blocks.{0,1}.conv_dw", "stages.2.blocks.{0-5}.conv_dw"),
        "mlp": (
            24,
            "stages.{0,1,3}.blocks.{0,1}.mlp.fc{1,2}",
            "stages.2.blocks.{0-5}.mlp.fc{1,2}",
        ),
        "downsample": (3, "stages.{1-3}.downsample.1"),
        "classifier": (1, "head.fc"),
    },
    "mobilenetv3_small_100": {
        "stem": (1, "conv_stem"),
        "convolution": (
            34,
            "blocks.0.0.conv_{dw,pw}",
            "blocks.1.{0,1}.conv_{pw,dw,pwl}",
            *(f"{block}.conv_{{pw,dw,pwl}}" for block in _GATED_MOBILE),
            "blocks.5.0.conv",
            "conv_head",
        ),
        "other": (18, *(f"{x}.se.conv_{{reduce,expand}}" for x in ("blocks.0.0", *_GATED_MOBILE))),
        "classifier": (1, "classifier"),
    },
    "efficientnet_b0": {
        "stem": (1, "conv_stem"),
        "convolution": (
            48,
            "blocks.0.0.conv_{dw,pw}",
            *(f"{block}.conv_{{pw,dw,pwl}}" for block in _EFFICIENT),
            "conv_head",
        ),
        "other": (32, *(f"{x}.se.conv_{{reduce,expand}}" for x in ("blocks.0.0", *_EFFICIENT))),
        "classifier": (1, "classifier"),
    },
    "regnetx_002": {
        "stem": (1, "stem.conv"),
        "convolution": (39, *(f"{block}.conv{{1-3}}.conv" for block in _REGNET)),
        "downsample": (4, "s{1-4}.b1.downsample.conv"),
        "classifier": (1, "head.fc"),
    },
    "own:Hybrid": {
        "stem": (1, "entry"),
        "convolution": (3, "body.{0,1}.conv", "reduce"),
        "downsample": (1, "body.1.shortcut"),
        "attention_qkv": (1, "mixer.self_attn.in_proj_weight"),
        "attention_projection": (1, "mixer.self_attn.out_proj"),
        "mlp": (2, "mixer.linear{1,2}"),
        "other": (1, "embed"),
        "classifier": (2, "fc{1,2}"),
    },
}
PAPER = {
    "vgg11_cifar": (32, 64),
    "resnet18": (32, 224),
    "levit_384": (32, 224),
    "swin_tiny_patch4_window7_224": (32, 224),
}


class _Block(nn.Module):
    def __init__(self, width_in, width_out):
        super().__init__()
        self.conv = nn.Conv2d(width_in, width_out, 3, padding=1)
        self.shortcut = (
            nn.Identity() if width_in == width_out else nn.Conv2d(width_in, width_out, 1)
        )

    def forward(self, images):
        return self.conv(images).relu() + self.shortcut(images)


class Hybrid(nn.Module):
    """A network of nobody's library: convolutions, then one encoder layer, then a long head."""

    def __init__(self, num_classes):
        super().__init__()
        self.entry = nn.Conv2d(3, 8, 3, padding=1)
        self.body = nn.Sequential(_Block(8, 8), _Block(8, 16))
        self.reduce = nn.Conv2d(16, 16, 4, stride=4)
        self.embed = nn.Linear(16, 16)
        self.mixer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.fc1 = nn.Linear(16, 16)
        self.fc2 = nn.Linear(16, num_classes)

    def forward(self, images):
        tokens = self.embed(self.reduce(self.body(self.entry(images))).flatten(2).transpose(1, 2))
        return self.fc2(self.fc1(self.mixer(tokens).mean(dim=1)).relu())


@functools.cache
def build(architecture, size):
    """Build on the meta device: roles and shapes need no memory."""
    spec = ModelSpec(
        architecture=architecture,
        arguments={},
        num_classes=10,
        image_shape=(size, size, 3),
        mean=(0.5,) * 3,
        std=(0.25,) * 3,
        classes=tuple("0123456789"),
    )
    with torch.device("meta"):
        return build_model(spec, factory=Hybrid if ":" in architecture else None)


def expanded(pattern):
    parts = re.split(r"\{(.*?)\}", pattern)
    choices = [[part] if i % 2 == 0 else choice(part) for i, part in enumerate(parts)]
    return ["".join(words) for words in itertools.product(*choices)]


def choice(inside):
    if match := re.fullmatch(r"(\d+)-(\d+)", inside):
        return [str(number) for number in range(int(match[1]), int(match[2]) + 1)]
    return inside.split(",")


def test_patterns_expand_to_every_name():
    assert expanded("s{1-3}.{a,b}") == ["s1.a", "s1.b", "s2.a", "s2.b", "s3.a", "s3.b"]
    assert expanded("fc") == ["fc"]


@pytest.mark.parametrize("name", GOLDEN)
def test_every_layer_has_its_role(name):
    expected = {
        layer: role
        for role, (_, *patterns) in GOLDEN[name].items()
        for pattern in patterns
        for layer in expanded(pattern)
    }
    assert {x.name: x.role.value for x in prunable_layers(build(name, 32))} == expected


@pytest.mark.parametrize("name", GOLDEN)
def test_each_role_has_its_number_of_layers(name):
    found = [x.role.value for x in prunable_layers(build(name, 32))]
    assert {role: found.count(role) for role in found} == {
        role: number for role, (number, *_) in GOLDEN[name].items()
    }


@pytest.mark.parametrize(
    ("name", "size"), [(name, size) for name, sizes in PAPER.items() for size in sizes]
)
def test_the_papers_networks_read_images_of_their_sizes_and_keep_their_layers(name, size):
    layers = prunable_layers(build(name, size))
    at_32 = prunable_layers(build(name, 32))
    assert [(x.name, x.role, x.shape) for x in layers] == [(x.name, x.role, x.shape) for x in at_32]
