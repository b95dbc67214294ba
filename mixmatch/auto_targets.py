"""Global targets chosen by what their families lose untrained (``ranges.targets: auto``)."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mixmatch.errors import ConfigError
from mixmatch.evaluation import unpack_correct
from mixmatch.records import Accuracy, ProbeRecord

# Targets are searched for in thousandths: they stay short numbers.
_UNIT = 1000
_LOWEST, _HIGHEST, _TOLERANCE = 500, 999, 2
# A family that loses nothing measures a loss above zero half of the time; above half a standard
# error, three times in ten.
_ERRORS_IN_NOTHING = 0.5


@dataclass(frozen=True, slots=True)
class Trial:
    """What one masked, re-estimated and untrained network loses against the base.

    Attributes:
        sparsity: exact fraction of all prunable weights that went.
        loss: the base's accuracy minus the network's on the same images, a fraction.
        error: standard error of ``loss``, a fraction.
    """

    sparsity: float
    loss: float
    error: float

    @classmethod
    def against(cls, base: Accuracy, measured: Accuracy, sparsity: float) -> "Trial":
        """Compare two networks image by image: the error is that of the paired difference."""
        differences = unpack_correct(base).astype(np.float64) - unpack_correct(measured)
        error = float(differences.std()) / math.sqrt(len(differences))
        return cls(sparsity, float(differences.mean()), error)


TryOut = Callable[[float, str], Trial]  # (global target, name of the strategy)


def choose_targets(
    try_out: TryOut, largest_loss: float
) -> tuple[tuple[float, ...], tuple[ProbeRecord, ...]]:
    """Find the global targets between which a family spans from no loss to ``largest_loss``.

    By bisection in [0.5, 0.999] to 0.002, at most 10 trials each: the largest target at which
    ``aggressive`` loses at most ``largest_loss``, and up to there the largest at which
    ``conservative`` loses nothing, that is at most half a standard error. If it loses something
    everywhere, the low end is 0.5.

    Losses are measured, so they need not grow with the target. Bisection then finds one of the
    places where the answer changes: an end that is returned passed its own trial, and one at most
    0.002 above it did not. Passing targets beyond a failing one are not looked for.

    Args:
        try_out: measures one end of the family whose ranges are observed at that one target.
        largest_loss: accuracy that may be lost untrained, a fraction.

    Returns:
        Both ends and the middle between them, ascending, each once; and every trial in order.

    Raises:
        ConfigError: ``aggressive`` loses more than ``largest_loss`` even at 0.5.
    """
    probes: list[ProbeRecord] = []

    def tried(thousandths: int, strategy: str) -> Trial:
        target = thousandths / _UNIT
        trial = try_out(target, strategy)
        probes.append(
            ProbeRecord(target=target, strategy=strategy, sparsity=trial.sparsity, loss=trial.loss)
        )
        return trial

    def loses_little(thousandths: int) -> bool:
        return tried(thousandths, "aggressive").loss <= largest_loss

    def loses_nothing(thousandths: int) -> bool:
        trial = tried(thousandths, "conservative")
        return trial.loss <= _ERRORS_IN_NOTHING * trial.error

    high = _largest(loses_little, _HIGHEST)
    if high is None:
        raise _out_of_reach(largest_loss, probes[-1])
    low = _largest(loses_nothing, high) or _LOWEST
    ends = sorted({low, round((low + high) / 2), high})
    return tuple(end / _UNIT for end in ends), tuple(probes)


def _largest(holds: Callable[[int], bool], top: int) -> int | None:
    """Return a place up to ``top`` where ``holds`` is true and soon is not; None if nowhere."""
    if holds(top):
        return top
    if top == _LOWEST or not holds(_LOWEST):
        return None
    low, high = _LOWEST, top
    while high - low > _TOLERANCE:
        middle = (low + high) // 2
        if holds(middle):
            low = middle
        else:
            high = middle
    return low


def _out_of_reach(largest_loss: float, probe: ProbeRecord) -> ConfigError:
    return ConfigError(
        f"ranges.largest_loss must be at least {probe.loss:.4f} for ranges.targets auto, which is "
        f"what {probe.strategy} loses untrained at the lowest target {probe.target:g}, got "
        f"{largest_loss:g}; raise it, or give ranges.targets as numbers."
    )
