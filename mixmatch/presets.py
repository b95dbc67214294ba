"""Published tables of sparsity ranges, by path pattern; they replace phase 1. No torch.

To add one: write its rows here, add one line to ``_ALL``, and its name to ``config.ranges.Preset``.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from types import MappingProxyType

from mixmatch.errors import ConfigError
from mixmatch.ranges import SparsityRange
from mixmatch.roles import PrunableLayer

_SOURCE = "Mix-and-Match, arXiv 2603.20280, the authors' public code"


@dataclass(frozen=True, slots=True)
class PresetRow:
    """The range of all layers that it matches.

    Attributes:
        patterns: of layer paths (fnmatch, as in ``ranges.layers``); one of them must match.
        range: what those layers may take.
        below: only layers with fewer weights than this.
        rank: only the layer at this place among all that ``patterns`` match, the largest first,
            from 0; equal ones in registration order. None: whatever its place.
    """

    patterns: tuple[str, ...]
    range: SparsityRange
    below: float = math.inf
    rank: int | None = None


@dataclass(frozen=True, slots=True)
class RangePreset:
    """A published table of ranges.

    Attributes:
        name: key in PRESETS and in run files.
        rows: read from the top; the first that matches a layer gives its range.
        source: where the table comes from, and how it is read here.
    """

    name: str
    rows: tuple[PresetRow, ...]
    source: str


def _row(
    *patterns: str, low: float, high: float, below: float = math.inf, rank: int | None = None
) -> PresetRow:
    return PresetRow(patterns, SparsityRange(low, high), below=below, rank=rank)


# Of the stages 0 to 3: qkv, attention projection, fc1, fc2, each (low, high). Paths are timm's.
_SWIN_BLOCKS = (
    ((0.10, 0.30), (0.20, 0.40), (0.30, 0.45), (0.25, 0.40)),
    ((0.15, 0.35), (0.25, 0.45), (0.35, 0.50), (0.30, 0.45)),
    ((0.20, 0.40), (0.30, 0.50), (0.40, 0.55), (0.35, 0.50)),
    ((0.25, 0.45), (0.35, 0.55), (0.45, 0.60), (0.40, 0.55)),
)
_SWIN_PARTS = ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")
_SWIN = (
    _row("patch_embed.proj", low=0.0, high=0.10),
    _row("layers.*.downsample.*", low=0.05, high=0.20),
    _row("head", "head.fc", low=0.0, high=0.15),
    *(
        _row(f"layers.{stage}.blocks.*.{part}", low=low, high=high)
        for stage, ranges in enumerate(_SWIN_BLOCKS)
        for part, (low, high) in zip(_SWIN_PARTS, ranges, strict=True)
    ),
)

_RESNET = (
    _row("conv1", "conv1.*", low=0.0, high=0.30),
    _row("layer?.*.downsample.*", low=0.0, high=0.20),
    _row("layer1.*", low=0.30, high=0.50),
    _row("layer2.*", low=0.40, high=0.60),
    _row("layer3.*", low=0.50, high=0.70),
    _row("layer4.*", low=0.75, high=0.95),
    _row("fc", low=0.0, high=0.30),
)

# torchvision's paths, then timm's. The bounds lie between the sizes of 3x3 convolutions with 64 and
# 128, 256, 256 to 512, and 512 channels: 73,728, 589,824, 1,179,648 and 2,359,296 weights.
_VGG_HEAD = ("classifier.*", "pre_logits.*", "head.*")
_VGG = (
    _row("features.0", low=0.0, high=0.10),
    _row("features.*", low=0.40, high=0.60, below=200_000),
    _row("features.*", low=0.55, high=0.70, below=1_000_000),
    _row("features.*", low=0.65, high=0.80, below=2_000_000),
    _row("features.*", low=0.75, high=0.92),
    _row(*_VGG_HEAD, low=0.92, high=0.98, rank=0),
    _row(*_VGG_HEAD, low=0.88, high=0.96, rank=1),
    _row(*_VGG_HEAD, low=0.85, high=0.95),
)

_ALL = (
    RangePreset("swin", _SWIN, _SOURCE),
    RangePreset("resnet", _RESNET, f"{_SOURCE}; without the shift of the published rows"),
    RangePreset(
        "vgg",
        _VGG,
        f"{_SOURCE}; convolutions by size, where the first public version goes by their place; "
        "without the shift of the published rows",
    ),
)

PRESETS: Mapping[str, RangePreset] = MappingProxyType({one.name: one for one in _ALL})


def preset_ranges(
    name: str,
    layers: Sequence[PrunableLayer],
    stated: Mapping[str, SparsityRange] | None = None,
) -> dict[str, SparsityRange]:
    """Return the range of each layer by a published table; no structural constraint applies.

    The classes of convolutions in ``vgg`` are a reading: METHOD says "by size", so VGG-11's fall
    into 64 to 128 channels, up to 256, 256 to 512, and 512.

    Args:
        name: key in PRESETS.
        layers: all prunable layers, in registration order.
        stated: ranges by layer name that win over the table; such layers need no row.

    Raises:
        ConfigError: no preset has that name, or a layer has neither row nor statement.
    """
    if name not in PRESETS:
        raise ConfigError(f"ranges.preset must be one of {', '.join(PRESETS)}, got {name!r}.")
    known, ranges = stated or {}, {}
    for layer in layers:
        found = known.get(layer.name) or _range_of(layer, layers, PRESETS[name])
        if found is None:
            raise ConfigError(
                f"ranges.preset {name} must have a row for every prunable layer, but has none for "
                f"{layer.name!r}; state its range in ranges.layers, or choose another preset."
            )
        ranges[layer.name] = found
    return ranges


def _range_of(
    layer: PrunableLayer, layers: Sequence[PrunableLayer], preset: RangePreset
) -> SparsityRange | None:
    """Return the range of the first row that matches ``layer``, None if none does."""
    for row in preset.rows:
        if not _names(row, layer) or layer.num_weights >= row.below:
            continue
        if row.rank is None or layer.index == _at_rank(row, layers):
            return row.range
    return None


def _names(row: PresetRow, layer: PrunableLayer) -> bool:
    return any(fnmatchcase(layer.name, pattern) for pattern in row.patterns)


def _at_rank(row: PresetRow, layers: Sequence[PrunableLayer]) -> int | None:
    """Return the index of the layer at the row's rank, None if it matches fewer layers."""
    by_size = sorted((x for x in layers if _names(row, x)), key=lambda x: -x.num_weights)
    return by_size[row.rank].index if row.rank is not None and row.rank < len(by_size) else None
