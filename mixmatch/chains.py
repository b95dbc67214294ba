"""Which member each strategy starts from when a family is trained in a chain. No torch."""

from collections.abc import Sequence

from mixmatch.records import StrategyRecord

# One alpha for all layers (METHOD, section 5): for one score the masks of these are nested.
_CONSTANT_ALPHA = frozenset(
    {
        "conservative",
        "percentile_30",
        "balanced",
        "percentile_50",
        "percentile_70",
        "percentile_90",
        "aggressive",
    }
)
_TARGET_PREFIX = "target_"  # of the strategies that target_sparsity adds, of constant alpha too


def predecessors(strategies: Sequence[StrategyRecord]) -> dict[str, str | None]:
    """Say for each distinct strategy whose fine-tuned network it starts from.

    The strategies of constant alpha form the chain: each starts from the sparsest of them that
    prunes less and in no layer more, so that its mask removes weights from what that one kept.
    All others start from the base.

    Args:
        strategies: of one plan. Those with equal digests are one member under the first name.

    Returns:
        By first name the predecessor's first name; None: the base. The chain by growing sparsity,
        then the others in the given order: each name comes after its predecessor.
    """
    members: dict[str, StrategyRecord] = {}
    chained: set[str] = set()
    for strategy in strategies:
        members.setdefault(strategy.digest, strategy)
        if _has_constant_alpha(strategy):
            chained.add(strategy.digest)
    chain = sorted((members[x] for x in members if x in chained), key=_num_pruned)
    found = {
        later.name: _predecessor(chain[:position], later) for position, later in enumerate(chain)
    }
    return found | {members[x].name: None for x in members if x not in chained}


def _predecessor(earlier: Sequence[StrategyRecord], later: StrategyRecord) -> str | None:
    """Return the sparsest of ``earlier``, given by growing sparsity, that ``later`` contains."""
    nested = (x.name for x in reversed(earlier) if _is_nested(x, later))
    return next(nested, None)


def _is_nested(inner: StrategyRecord, outer: StrategyRecord) -> bool:
    """Say whether all that ``inner`` prunes by a fixed score, ``outer`` prunes too."""
    return all(count <= outer.num_pruned.get(x, 0) for x, count in inner.num_pruned.items())


def _has_constant_alpha(strategy: StrategyRecord) -> bool:
    return strategy.name in _CONSTANT_ALPHA or strategy.name.startswith(_TARGET_PREFIX)


def _num_pruned(strategy: StrategyRecord) -> int:
    return sum(strategy.num_pruned.values())
