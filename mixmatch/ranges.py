"""How sparse each layer may become (phase 1), and how many weights a sparsity means. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from mixmatch.config.ranges import ConstraintSettings, RangeSettings
from mixmatch.errors import ConfigError, SparsityError
from mixmatch.roles import LayerRole, PrunableLayer

_NUM_NAMES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class SparsityRange:
    """The closed interval of sparsities that a layer may take.

    All values are fractions of the layer's weights set to zero, never percents.

    Attributes:
        low: the least sparsity, a fraction.
        high: the greatest sparsity, a fraction, at least ``low``.

    Raises:
        SparsityError: ``low`` or ``high`` is outside [0, 1], or ``low > high``.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        """Check both ends; NaN is refused too."""
        if not 0.0 <= self.low <= 1.0:
            raise SparsityError("low", self.low)
        if not self.low <= self.high <= 1.0:
            raise SparsityError("high", self.high, low=self.low)

    @classmethod
    def spanning(cls, observed: Iterable[float]) -> SparsityRange:
        """Take the smallest range that holds every observed sparsity (eq. 1 and 2).

        Raises:
            ConfigError: nothing was observed.
            SparsityError: an observed sparsity is outside [0, 1].
        """
        values = tuple(observed)
        if not values:
            raise ConfigError(
                "A range must span at least one observed sparsity, got none; "
                "name a baseline and a target."
            )
        return cls(min(values), max(values))

    def at(self, position: float) -> float:
        """Interpolate: position 0 gives ``low``, 1 gives ``high`` (eq. 4).

        Raises:
            SparsityError: ``position`` is outside [0, 1].
        """
        if not 0.0 <= position <= 1.0:
            raise SparsityError("position", position)
        # Rounding can pass the end: 0.3 + (0.9 - 0.3) > 0.9.
        return min(self.low + position * (self.high - self.low), self.high)


def num_to_prune(sparsity: float, num_weights: int) -> int:
    """Return how many of a layer's weights go: ``round(sparsity * num_weights)``, half to even.

    At least one weight stays, even at sparsity 1: a layer of zeros cuts the network in two.

    Args:
        sparsity: fraction to prune, in [0, 1].
        num_weights: entries of the layer's weight tensor, at least 1.

    Raises:
        SparsityError: ``sparsity`` is outside [0, 1].
    """
    if not 0.0 <= sparsity <= 1.0:
        raise SparsityError("sparsity", sparsity)
    return min(round(sparsity * num_weights), num_weights - 1)


def observed_ranges(
    layers: Sequence[PrunableLayer], observations: Iterable[Mapping[str, float]]
) -> dict[str, SparsityRange]:
    """Return the range of each layer over all observed global prunings (eq. 1 and 2).

    Args:
        layers: the prunable layers.
        observations: one mapping per (baseline, target), from layer name to the layer's sparsity.

    Returns:
        Ranges by layer name, in the order of ``layers``.

    Raises:
        ConfigError: there is no observation.
    """
    seen = tuple(observations)
    return {x.name: SparsityRange.spanning(one[x.name] for one in seen) for x in layers}


def constrained_ranges(
    layers: Sequence[PrunableLayer],
    observed: Mapping[str, SparsityRange],
    settings: RangeSettings,
) -> dict[str, SparsityRange]:
    """Return the range of each layer after constraints and settings, which replace the observed.

    What wins, first to last: the first matching pattern of ``settings.layers``,
    ``settings.roles``, the structural constraints, the observed range.

    Args:
        layers: the prunable layers.
        observed: the observed range by layer name.
        settings: the ``ranges`` section.

    Raises:
        ConfigError: a pattern of ``settings.layers`` matches no layer.
    """
    stated = stated_ranges(layers, settings)
    return {
        x.name: stated.get(x.name) or _constraint(x, settings.constraints) or observed[x.name]
        for x in layers
    }


def stated_ranges(
    layers: Sequence[PrunableLayer], settings: RangeSettings
) -> dict[str, SparsityRange]:
    """Return the ranges that ``settings.layers`` and ``settings.roles`` state; layers win.

    Args:
        layers: the prunable layers.
        settings: the ``ranges`` section.

    Returns:
        Ranges by name, of those layers for which there is a statement.

    Raises:
        ConfigError: a pattern of ``settings.layers`` matches no layer.
    """
    _check_patterns(layers, settings)
    found = ((x.name, _statement(x, settings)) for x in layers)
    return {name: SparsityRange(*interval) for name, interval in found if interval is not None}


def _statement(layer: PrunableLayer, settings: RangeSettings) -> tuple[float, float] | None:
    """Return the interval that the settings state for a layer, None if they do not."""
    for pattern, interval in settings.layers.items():
        if fnmatchcase(layer.name, pattern):
            return interval
    return settings.roles.get(layer.role)


def _constraint(layer: PrunableLayer, settings: ConstraintSettings) -> SparsityRange | None:
    """Return the structural constraint on a layer: the first match of METHOD's three."""
    if layer.role is LayerRole.NORMALIZATION:
        return SparsityRange(*settings.normalization)
    # Before "small": Swin's patch embedding has 4,608 weights.
    if layer.role is LayerRole.PATCH_EMBEDDING:
        return SparsityRange(*settings.patch_embedding)
    return SparsityRange(*settings.small) if layer.num_weights < settings.small_below else None


def _check_patterns(layers: Sequence[PrunableLayer], settings: RangeSettings) -> None:
    for pattern in settings.layers:
        if not any(fnmatchcase(layer.name, pattern) for layer in layers):
            known = ", ".join(layer.name for layer in layers[:_NUM_NAMES_SHOWN])
            raise ConfigError(
                f"ranges.layers must hold patterns of prunable layers, got {pattern!r}, which "
                f"matches none of {len(layers)}; the first are {known}."
            )
