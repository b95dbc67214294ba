"""Which part each layer plays, from what the model states, from module classes, then from paths.

To teach it another architecture, add one line to ``_PARTS``.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from torch import nn

from mixmatch.roles import LayerRole


@dataclass(frozen=True, slots=True)
class Place:
    """Where one prunable weight sits in its network.

    Attributes:
        name: the layer's name.
        levels: (path, module) from the module that owns the weight up to a child of the root.
    """

    name: str
    levels: tuple[tuple[str, nn.Module], ...]

    @property
    def module(self) -> nn.Module:
        """The module that owns the weight."""
        return self.levels[0][1]

    @property
    def parent(self) -> str:
        """Path of the module that holds the owner; empty for the root."""
        return self.levels[0][0].rpartition(".")[0]

    @property
    def is_linear(self) -> bool:
        """Whether the owner is a linear module."""
        return isinstance(self.module, nn.Linear)

    @property
    def is_convolution(self) -> bool:
        """Whether the owner is a convolution, transposed ones included."""
        return isinstance(self.module, nn.modules.conv._ConvNd)


class _Part(Enum):
    """What a module around a layer is."""

    GATE = auto()
    MLP = auto()
    ATTENTION = auto()
    PATCHES = auto()
    DOWNSAMPLE = auto()
    STEM = auto()


# (part, pattern of the class name, pattern of the path). Read top to bottom, first match wins.
# The path of a module that only holds the layer ends with a dot here. Paths follow timm's spelling.
_PARTS = tuple(
    (part, re.compile(by_class), re.compile(rf"(^|\.)({by_path})\.?$"))
    for part, by_class, by_path in (
        (
            _Part.GATE,
            r"^SE[A-Z]|Squeeze|Excite|EffectiveSE|^(Channel|Spatial)Attn",
            r"se|se_module",
        ),
        (_Part.MLP, r"Mlp|MLP|FeedForward|F[Ff][Nn]|SwiGLU", r"mlp|ffn?|feed_forward"),
        (
            _Part.ATTENTION,
            r"Attention|(?<!Split)(?<!Kernel)Attn|MHSA|M(SA|sa|LA)",
            r"attn|attention|self_attn|self_attention",
        ),
        (_Part.PATCHES, r"PatchEmbed|^Stem(8|16)$", r"patch_embed(ding|s|dings)?"),
        (_Part.DOWNSAMPLE, r"PatchMerging|Downsample|Transition", r"downsample|shortcut"),
        (_Part.STEM, r"Stem", r"(conv_)?stem"),
    )
)
# ResNet-D and SE-Net replace the first convolution by a sequence of three, conv1.0 to conv1.6.
_DEEP_STEM = re.compile(r"^conv1\.$")

_QKV = re.compile(
    r"^(to_)?(q|k|v|qk|kv|qkv|query|key|value)(_proj|_dw|_lin|_conv)?$|^(in|q|k|v)_proj_weight$"
)
_PROJECTION = re.compile(r"^(proj|projection|proj_out|out_proj|o_proj|c_proj|to_out|out)$")
# Networks that compute relative position biases: Swin V2's in timm's, torchvision's and Hugging
# Face's spelling, Swin V2-CR's, and the classes of timm's other transformers.
_POSITION_BIAS_CLASS = re.compile(r"^(RelPos(Mlp|Bias\w*)|DynamicPosBias|\w*PositionBias)$")
_POSITION_BIAS_PATH = re.compile(r"(^|\.)(cpb_mlp|meta_mlp|continuous_position_bias_mlp)$")

_BEFORE_HEAD = "pre_logits"  # timm's name for fully connected layers below the last one
_HEAD_NAME = re.compile(r"^((fc|linear|dense|classifier|head)_?)?\d*$")


def is_position_bias(path: str, module: nn.Module) -> bool:
    """Say whether the module at ``path`` computes relative position biases, never pruned."""
    by_class = _POSITION_BIAS_CLASS.search(type(module).__name__)
    return bool(by_class or _POSITION_BIAS_PATH.search(path))


def assign_roles(model: nn.Module, places: Sequence[Place]) -> dict[str, LayerRole]:
    """Say what part each layer plays.

    The stem and the heads are facts where timm states them in ``model.pretrained_cfg``; elsewhere
    they are the first convolution and the last linear layer. Between them the nearest module with a
    telling class or path decides.

    Args:
        places: every prunable layer, in registration order.
    """
    heads = _heads(model, places)
    first = _first_convolutions(model, places)
    roles = {place.name: _role(place, heads, first) for place in places}
    roles.update(dict.fromkeys(_patch_convolutions(places, roles), LayerRole.PATCH_EMBEDDING))
    if not any(place.is_convolution for place in places):
        hidden = (name for name, role in roles.items() if role is LayerRole.OTHER)
        roles.update(dict.fromkeys(hidden, LayerRole.MLP))
    return roles


def _role(place: Place, heads: frozenset[str], first: frozenset[str]) -> LayerRole:
    """Decide one layer's role by itself."""
    if place.name in heads:
        return LayerRole.CLASSIFIER
    for path, part in _parts(place):
        role = _role_in_part(place, path, part, first)
        if role is not None:
            return role
    if place.name in first:
        return LayerRole.STEM
    return LayerRole.CONVOLUTION if place.is_convolution else LayerRole.OTHER


def _parts(place: Place) -> list[tuple[str, _Part]]:
    """List (path, part) of the telling modules around a layer, nearest first."""
    found = []
    for path, module in place.levels:
        held = "" if module is place.module else "."
        if isinstance(module, nn.TransformerEncoderLayer | nn.TransformerDecoderLayer):
            found.append((path, _Part.MLP))
        elif _DEEP_STEM.search(path + held):
            found.append((path, _Part.STEM))
        else:
            name = type(module).__name__
            found += [(path, part) for part, by_class, _ in _PARTS if by_class.search(name)][:1]
            found += [(path, part) for part, _, by_path in _PARTS if by_path.search(path + held)][
                :1
            ]
    return found


_ROLE_OF_PART = {
    _Part.GATE: LayerRole.OTHER,
    _Part.MLP: LayerRole.MLP,
    _Part.DOWNSAMPLE: LayerRole.DOWNSAMPLE,
    _Part.STEM: LayerRole.STEM,
}


def _role_in_part(place: Place, path: str, part: _Part, first: frozenset[str]) -> LayerRole | None:
    """Name the role that the part at ``path`` gives the layer, or None if it does not tell."""
    if part is _Part.ATTENTION:
        inside = place.name.removeprefix(path).strip(".").split(".")
        if any(_QKV.search(word) for word in inside):
            return LayerRole.ATTENTION_QKV
        if any(_PROJECTION.search(word) for word in inside):
            return LayerRole.ATTENTION_PROJECTION
        # A spatial reduction or a position network inside attention: its own type decides.
        return None
    if part is _Part.PATCHES:
        # Pyramid transformers (PVT, Twins) embed patches again between stages.
        begins = not first or any(_is_under(name, path) for name in first)
        return LayerRole.PATCH_EMBEDDING if begins else LayerRole.DOWNSAMPLE
    return _ROLE_OF_PART[part]


def _patch_convolutions(places: Sequence[Place], roles: dict[str, LayerRole]) -> list[str]:
    """List the convolutions that make the tokens, where attention does all the rest (ViT, LeViT).

    Empty for hybrids: there, convolutions stand between or outside the first module too.
    """
    plain = (LayerRole.STEM, LayerRole.CONVOLUTION, LayerRole.PATCH_EMBEDDING)
    names = [name for name, role in roles.items() if role in plain]
    modules = {name.partition(".")[0] for name in names}
    leading = names == [place.name for place in places[: len(names)]]
    attends = LayerRole.ATTENTION_QKV in roles.values()
    return names if attends and leading and len(modules) == 1 else []


def _first_convolutions(model: nn.Module, places: Sequence[Place]) -> frozenset[str]:
    """Find the layers that read the image: those timm states, else the first convolution."""
    stated = _stated(model, "first_conv")
    names = {p.name for p in places if any(_is_under(p.name, path) for path in stated)}
    return frozenset(names or [p.name for p in places if p.is_convolution][:1])


def _heads(model: nn.Module, places: Sequence[Place]) -> frozenset[str]:
    """Find the layers that make class scores, with the linear layers that lead up to them."""
    stated = _stated(model, "classifier")
    heads = [i for i, p in enumerate(places) if any(_is_under(p.name, path) for path in stated)]
    if not stated:
        heads = [i for i, p in enumerate(places) if p.is_linear][-1:]
        heads = heads or list(range(1, len(places)))[-1:]
    names = {places[i].name for i in heads}
    names.update(p.name for p in places if _BEFORE_HEAD in p.name.split("."))
    if any(place.is_convolution for place in places):
        for head in heads:
            names.update(_leading_up_to(head, places))
    return frozenset(names)


def _leading_up_to(head: int, places: Sequence[Place]) -> list[str]:
    """List the linear layers right before a head and beside it, as VGG's three are."""
    names = []
    for place in reversed(places[:head]):
        beside = place.parent == places[head].parent and place.is_linear
        word = place.name.rpartition(".")[2]
        if not beside or not _HEAD_NAME.search(word):
            break
        names.append(place.name)
    return names


def _stated(model: nn.Module, key: str) -> tuple[str, ...]:
    """Read the paths that timm's ``pretrained_cfg`` states under ``key`` and the model has."""
    stated = (getattr(model, "pretrained_cfg", None) or {}).get(key) or ()
    paths = (stated,) if isinstance(stated, str) else tuple(stated)
    modules = dict(model.named_modules())
    return tuple(path for path in paths if path in modules)


def _is_under(name: str, path: str) -> bool:
    """Say whether ``name`` is ``path`` or lies inside it."""
    return name == path or name.startswith(f"{path}.")
