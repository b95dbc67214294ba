"""Strategies (phase 2): where in its range each layer sits. No torch.

To add one: write its rule, then add one line to ``_ALL``; the contract tests run on it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from mixmatch.digests import json_digest
from mixmatch.errors import ConfigError
from mixmatch.ranges import SparsityRange, num_to_prune
from mixmatch.records import StrategyRecord
from mixmatch.roles import LayerRole, PrunableLayer

_PAPER = "Mix-and-Match, arXiv 2603.20280"
_TEN = f"{_PAPER}, the ten strategies"
_VARIANT = f"{_PAPER}, slot 9 or 10 of an architecture's table"

_INPUTS = frozenset({LayerRole.STEM, LayerRole.PATCH_EMBEDDING})
_ATTENTION = frozenset({LayerRole.ATTENTION_QKV, LayerRole.ATTENTION_PROJECTION})
_CLASSIFIER = frozenset({LayerRole.CLASSIFIER})
_CONVOLUTION = frozenset({LayerRole.CONVOLUTION})
_MLP = frozenset({LayerRole.MLP})

_NUMBERED_PART = re.compile(r"([A-Za-z_]*)(\d+)")


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    """What a rule may know about the network as a whole.

    Attributes:
        num_weights: prunable weights of all layers.
        mean_size: mean number of weights per layer.
        last_stage: path of the last numbered stage, for example ``layer4`` or ``stages.3``; None
            where paths are not numbered.
    """

    num_weights: int
    mean_size: float
    last_stage: str | None


# Where in its range a layer sits, 0 to 1.
Position = Callable[[PrunableLayer, NetworkFacts], float]


@dataclass(frozen=True, slots=True)
class Strategy:
    """A rule for how much to prune in every layer, not which weights.

    Attributes:
        name: key used in run files and in run names.
        position: maps (layer, facts of the network) to a place in the layer's range, 0 to 1.
        source: where the rule comes from.
    """

    name: str
    position: Position
    source: str


def _fixed(position: float) -> Position:
    def rule(layer: PrunableLayer, facts: NetworkFacts) -> float:
        del layer, facts  # every rule has this signature
        return position

    return rule


def _roles(roles: frozenset[LayerRole], *, otherwise: float) -> Position:
    """Put the layers of some roles at the top of their ranges and all others at one place."""

    def rule(layer: PrunableLayer, facts: NetworkFacts) -> float:
        del facts
        return 1.0 if layer.role in roles else otherwise

    return rule


def _by_size(layer: PrunableLayer, facts: NetworkFacts) -> float:
    return min(1.0, 0.1 * layer.num_weights / facts.mean_size)  # eq. 6


def _by_share(layer: PrunableLayer, facts: NetworkFacts) -> float:
    # The authors' code computes this where the paper has eq. 6.
    return min(1.0, 10 * layer.num_weights / facts.num_weights)


def _late_layers(layer: PrunableLayer, facts: NetworkFacts) -> float:
    del facts
    return 1.0 if layer.role is LayerRole.CLASSIFIER else layer.depth


def _early_layers(layer: PrunableLayer, facts: NetworkFacts) -> float:
    del facts
    if layer.role is LayerRole.CLASSIFIER:
        return 0.0
    return 1.0 if layer.role in _INPUTS else 1.0 - layer.depth


def _last_stage(layer: PrunableLayer, facts: NetworkFacts) -> float:
    stage = _stage(layer)
    return 1.0 if stage is not None and stage == facts.last_stage else 0.5


_ALL = (
    Strategy("conservative", _fixed(0.0), _TEN),
    Strategy("aggressive", _fixed(1.0), _TEN),
    Strategy("balanced", _fixed(0.5), _TEN),
    Strategy("percentile_30", _fixed(0.3), _TEN),
    Strategy("percentile_50", _fixed(0.5), f"{_TEN}; the same as balanced"),
    Strategy("percentile_70", _fixed(0.7), _TEN),
    Strategy("percentile_90", _fixed(0.9), _TEN),
    Strategy("parameter_proportional", _by_size, f"{_PAPER}, eq. 6"),
    Strategy("classifier_heavy", _late_layers, _TEN),
    Strategy("feature_heavy", _early_layers, _TEN),
    Strategy("parameter_share", _by_share, "the paper's public code, in place of eq. 6"),
    Strategy("fc_heavy", _roles(_CLASSIFIER, otherwise=0.0), _VARIANT),
    Strategy("head_heavy", _roles(_CLASSIFIER, otherwise=0.0), f"{_VARIANT}; same as fc_heavy"),
    Strategy("late_stage_aggressive", _last_stage, _VARIANT),
    Strategy("conv_aggressive", _roles(_CONVOLUTION, otherwise=0.5), _VARIANT),
    Strategy("mlp_aggressive", _roles(_MLP, otherwise=0.5), _VARIANT),
    Strategy("mlp_heavy", _roles(_MLP, otherwise=0.0), _VARIANT),
    Strategy("attention_aggressive", _roles(_ATTENTION, otherwise=0.5), _VARIANT),
)

STRATEGIES: Mapping[str, Strategy] = MappingProxyType({one.name: one for one in _ALL})

METHOD_TEN: tuple[str, ...] = tuple(one.name for one in _ALL[:10])


def plan(
    name: str, layers: Sequence[PrunableLayer], ranges: Mapping[str, SparsityRange]
) -> StrategyRecord:
    """Choose one sparsity per layer by the strategy ``name``; each stays inside its range.

    Args:
        name: key in STRATEGIES.
        layers: all prunable layers, in registration order.
        ranges: the range of every layer, by name.

    Returns:
        The plan. Its digest is that of the counts, so plans that prune equally share it.

    Raises:
        ConfigError: ``name`` is no strategy.
    """
    if name not in STRATEGIES:
        raise ConfigError(f"A strategy must be one of {', '.join(STRATEGIES)}, got {name!r}.")
    facts = _facts(layers)
    position = STRATEGIES[name].position
    return _record(name, layers, ranges, {x.name: position(x, facts) for x in layers})


def plan_at(
    name: str, alpha: float, layers: Sequence[PrunableLayer], ranges: Mapping[str, SparsityRange]
) -> StrategyRecord:
    """Put every layer at the same place of its range, under a name of the caller's.

    Args:
        name: of the record.
        alpha: place in the range, 0 to 1.
        layers: all prunable layers, in registration order.
        ranges: the range of every layer, by name.

    Raises:
        SparsityError: ``alpha`` is outside [0, 1].
    """
    return _record(name, layers, ranges, {x.name: alpha for x in layers})


def _record(
    name: str,
    layers: Sequence[PrunableLayer],
    ranges: Mapping[str, SparsityRange],
    positions: Mapping[str, float],
) -> StrategyRecord:
    sparsity = {x.name: ranges[x.name].at(positions[x.name]) for x in layers}
    num_pruned = {x.name: num_to_prune(sparsity[x.name], x.num_weights) for x in layers}
    return StrategyRecord(
        name=name,
        digest=json_digest(num_pruned),
        sparsity=sum(num_pruned.values()) / sum(layer.num_weights for layer in layers),
        layers=sparsity,
        num_pruned=num_pruned,
    )


def _facts(layers: Sequence[PrunableLayer]) -> NetworkFacts:
    num_weights = sum(layer.num_weights for layer in layers)
    stages = [stage for stage in map(_stage, layers) if stage is not None]
    return NetworkFacts(num_weights, num_weights / len(layers), stages[-1] if stages else None)


def _stage(layer: PrunableLayer) -> str | None:
    """Return a layer's path up to its first numbered part; None outside the numbered body.

    Roles do not tell stages, so the path must: ``layer4.1.conv2`` lies in ``layer4``,
    ``stages.2.blocks.0.attn.qkv`` in ``stages.2``. Where layers themselves are numbered, as VGG's
    ``features.25``, those of one width are a stage: its last is the four of 512 channels.
    """
    if layer.role in _INPUTS | _CLASSIFIER:
        return None
    parts = layer.name.split(".")
    for position, part in enumerate(parts):
        if _NUMBERED_PART.fullmatch(part):
            path = ".".join(parts[: position + 1])
            return path if path != layer.name else f"{layer.shape[0]} channels"
    return None
