"""Which results a study asks for, as far as its plan tells; needs no data set and no network."""

from collections.abc import Iterator

from mixmatch.config import RunConfig
from tasks.labels import DENSE, member_label, rival_label
from tasks.study.facts import StudyPlan

_Mask = frozenset[tuple[str, int]]


def expected_family(config: RunConfig, kept: StudyPlan) -> frozenset[str]:
    """Return the labels of the family: distinct configurations, criteria, seeds."""
    distinct: dict[str, str] = {}
    for strategy in kept.plan.strategies:
        distinct.setdefault(strategy.digest, strategy.name)
    return frozenset(
        member_label(name, criterion, seed)
        for name in distinct.values()
        for criterion in config.criteria
        for seed in _seeds(config)
    )


def expected_rivals(config: RunConfig, kept: StudyPlan) -> frozenset[str]:
    """Return the labels of rivals and dense control; equal masks of one rival count once."""
    found: dict[tuple[str, _Mask, int], str] = {}
    for rival, sparsity, seed, mask in _rivals(config, kept):
        found.setdefault((rival, mask, seed), rival_label(rival, sparsity, seed))
    return frozenset(found.values())


def _rivals(config: RunConfig, kept: StudyPlan) -> Iterator[tuple[str, float, int, _Mask]]:
    if DENSE in config.compare:
        yield from ((DENSE, 0.0, seed, frozenset()) for seed in _seeds(config))
    for plan in kept.rivals.plans if kept.rivals else ():
        mask = frozenset(plan.num_pruned.items())
        for seed in _seeds(config) if plan.seed is None else (plan.seed,):
            yield plan.rival, plan.sparsity, seed, mask


def _seeds(config: RunConfig) -> tuple[int, ...]:
    """Return the seeds that make a difference: without fine-tuning all are one."""
    return config.seeds if config.fine_tune.max_epochs else (0,)
