"""A family's epochs spent by successive halving on those that can still reach the front.

Rounds as in Jamieson and Talwalkar 2016 (arXiv 1502.07943), several objectives as in Schmucker et
al. 2021 (arXiv 2106.12639). The round before the first costs no epoch: all configurations, masked
and with batch norm re-estimated.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mixmatch.errors import ConfigError, DataError
from mixmatch.pareto import TradeOff, on_front


@dataclass(frozen=True, slots=True)
class Rung:
    """One round of training.

    Attributes:
        num_survivors: configurations that are trained in it, chosen from those of the round before.
        epochs: of each of them in this round, on top of the rounds before.
    """

    num_survivors: int
    epochs: int


def rungs(num_configurations: int, total_epochs: int) -> tuple[Rung, ...]:
    """Share out ``total_epochs`` over rounds that each keep half of the configurations, rounded up.

    Every round gets an equal share of what is left, and what its survivors cannot divide evenly
    goes to the later rounds. Where a share does not reach for one epoch each, halving starts at a
    smaller round. The last round keeps one, so exactly ``total_epochs`` are spent in all; early
    stopping may spend fewer.

    Args:
        num_configurations: that the untrained round has measured, at least 1.
        total_epochs: of all configurations together, at least 1.

    Raises:
        ConfigError: a number is below 1.
    """
    if num_configurations < 1 or total_epochs < 1:
        raise ConfigError(
            "budget.epochs and the number of configurations must be at least 1, got "
            f"{total_epochs} and {num_configurations}."
        )
    sizes = _sizes(num_configurations)
    while sizes[0] * len(sizes) > total_epochs:
        sizes = sizes[1:]
    left, found = total_epochs, []
    for position, size in enumerate(sizes):
        epochs = left // (len(sizes) - position) // size
        found.append(Rung(size, epochs))
        left -= size * epochs
    return tuple(found)


def survivors(points: Sequence[TradeOff], shares: Sequence[float], num: int) -> tuple[str, ...]:
    """Choose the ``num`` points most likely to reach the front, best first.

    First by the share of bootstrap resamples in which a point is on the front, then by
    non-dominated rank (Deb et al. 2002: the front, the front of the rest, and so on). Ties: the
    sparser first, since it has most to gain from training, then the more accurate, then by name.

    Args:
        points: of the configurations as they are now; names are distinct.
        shares: of each point, as ``mixmatch.pareto.front_shares`` returns them, fractions.
        num: how many survive, 1 to all.

    Returns:
        Their names.

    Raises:
        DataError: there is not one share per point, or ``num`` is not between 1 and all.
    """
    if len(shares) != len(points):
        raise DataError(
            f"shares must hold one number per point ({len(points)}), got {len(shares)}."
        )
    if not 1 <= num <= len(points):
        raise DataError(f"num must be from 1 to the number of points ({len(points)}), got {num}.")
    ranks = _ranks(points)

    def order(index: int) -> tuple[float, int, float, float, str]:
        point = points[index]
        return -shares[index], ranks[index], -point.sparsity, -point.accuracy, point.name

    return tuple(points[index].name for index in sorted(range(len(points)), key=order)[:num])


def _sizes(num_configurations: int) -> list[int]:
    """Halve, rounding up, down to one; a lone configuration is trained in one round."""
    sizes = [-(-num_configurations // 2)]
    while sizes[-1] > 1:
        sizes.append(-(-sizes[-1] // 2))
    return sizes


def _ranks(points: Sequence[TradeOff]) -> list[int]:
    """Return of each point which front it is on: 0 the first, 1 that of the rest, and so on."""
    ranks = [0] * len(points)
    left, rank = list(range(len(points))), 0
    while left:
        for index in left:
            ranks[index] = rank
        kept = on_front([points[index] for index in left])
        left = [index for index, is_kept in zip(left, kept, strict=True) if not is_kept]
        rank += 1
    return ranks
