"""Strategies that reach a global sparsity by one alpha."""

import pytest

from mixmatch.errors import ConfigError
from mixmatch.ranges import SparsityRange
from mixmatch.roles import LayerRole, PrunableLayer
from mixmatch.strategies import plan
from mixmatch.target_sparsity import plan_for, target_name

# A large layer with a wide range, a small one with a narrow one.
LAYERS = [
    PrunableLayer("a", LayerRole.CONVOLUTION, 0, 0.0, (3_000_000,), 3_000_000),
    PrunableLayer("b", LayerRole.CLASSIFIER, 1, 1.0, (1_000_000,), 1_000_000),
]
RANGES = {"a": SparsityRange(0.2, 1.0), "b": SparsityRange(0.0, 0.4)}  # 0.15 to 0.85


@pytest.mark.parametrize(
    ("target", "name"),
    [
        (0.9, "target_0.90"),
        (0.95, "target_0.95"),
        (0.925, "target_0.925"),
        (0.9999, "target_0.9999"),
        (0.00001, "target_0.00001"),
    ],
)
def test_a_name_has_two_decimals_or_as_many_as_the_number(target, name):
    assert target_name(target) == name


@pytest.mark.parametrize("target", [0.15, 0.2, 0.4999, 0.5, 0.7, 0.85])
def test_reaches_the_sparsity_with_one_alpha(target):
    record = plan_for(target, LAYERS, RANGES)
    # Half of the last interval of alpha, times the mean width of the ranges; rounding of counts.
    assert record.sparsity == pytest.approx(target, abs=0.5e-4 * 0.7 + 1e-6)
    assert sum(record.num_pruned.values()) == round(record.sparsity * 4_000_000)
    alphas = [(record.layers[x] - RANGES[x].low) / (RANGES[x].high - RANGES[x].low) for x in "ab"]
    assert alphas[0] == pytest.approx(alphas[1])


def test_the_known_alpha_is_found():
    record = plan_for(0.5, LAYERS, RANGES)
    assert record.name == "target_0.50"
    assert record.layers == {"a": pytest.approx(0.6, abs=1e-4), "b": pytest.approx(0.2, abs=1e-4)}


def test_both_ends_of_the_family_can_be_asked_for():
    lowest, highest = plan("conservative", LAYERS, RANGES), plan("aggressive", LAYERS, RANGES)
    assert plan_for(lowest.sparsity, LAYERS, RANGES).digest == lowest.digest
    assert plan_for(highest.sparsity, LAYERS, RANGES).digest == highest.digest


def test_ranges_of_no_width_reach_their_one_sparsity():
    ranges = {"a": SparsityRange(0.5, 0.5), "b": SparsityRange(0.5, 0.5)}
    assert plan_for(0.5, LAYERS, ranges).sparsity == 0.5


@pytest.mark.parametrize("target", [0.1, 0.9])
def test_says_how_far_the_ranges_allow(target):
    message = (
        r"target_sparsity must lie between 0\.1500 and 0\.8500, which the ranges of this network "
        rf"reach, got {target}; widen them with ranges.targets, ranges.roles or ranges.layers\."
    )
    with pytest.raises(ConfigError, match=message):
        plan_for(target, LAYERS, RANGES)
