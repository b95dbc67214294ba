"""Ranges of layers, and the number of weights that a sparsity means."""

import pytest

from mixmatch.config import RangeSettings
from mixmatch.errors import ConfigError, SparsityError
from mixmatch.ranges import SparsityRange, constrained_ranges, num_to_prune, observed_ranges
from mixmatch.roles import LayerRole, PrunableLayer


def layer(name, role=LayerRole.CONVOLUTION, num_weights=50_000):
    return PrunableLayer(name, role, 0, 0.0, (num_weights,), num_weights)


OBSERVED = SparsityRange(0.6, 0.9)


def range_of(one, **settings):
    ranges = constrained_ranges([one], {one.name: OBSERVED}, RangeSettings(**settings))
    return ranges[one.name].low, ranges[one.name].high


@pytest.mark.parametrize(
    ("sparsity", "num_weights", "expected"),
    [
        (0.0, 10, 0),
        (0.25, 10, 2),  # 2.5 goes to the even neighbour
        (0.35, 10, 4),  # 3.5 too
        (0.29, 100, 29),
        (0.7, 100, 70),
        (1.0, 100, 99),  # one weight stays
        (0.999, 10, 9),
        (1.0, 1, 0),
    ],
)
def test_counts_are_rounded_half_to_even_and_leave_one_weight(sparsity, num_weights, expected):
    assert num_to_prune(sparsity, num_weights) == expected


@pytest.mark.parametrize("percent", [70, -0.1, float("nan")])
def test_refuses_to_count_outside_the_unit_interval(percent):
    with pytest.raises(SparsityError, match=r"sparsity must be a fraction in \[0.0, 1.0\], got"):
        num_to_prune(percent, 100)


def test_a_position_interpolates_between_both_ends():
    assert [SparsityRange(0.25, 0.75).at(x) for x in (0.0, 0.5, 1.0)] == [0.25, 0.5, 0.75]


def test_the_top_position_never_passes_the_high_end():
    assert SparsityRange(0.3, 0.9).at(1.0) == 0.9


def test_refuses_a_position_outside_the_unit_interval():
    with pytest.raises(SparsityError, match=r"position must be a fraction in \[0.0, 1.0\], got 2"):
        SparsityRange(0.0, 1.0).at(2)


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [
        (-0.1, 0.5, r"low must be a fraction in \[0.0, 1.0\], got -0.1"),
        (70, 90, r"low must be a fraction in \[0.0, 1.0\], got 70"),
        (0.5, 0.4, r"high must be a fraction in \[0.5, 1.0\], got 0.4"),
        (0.5, 1.1, r"high must be a fraction in \[0.5, 1.0\], got 1.1"),
    ],
)
def test_a_range_that_is_no_interval_of_fractions_cannot_exist(low, high, message):
    with pytest.raises(SparsityError, match=message):
        SparsityRange(low, high)


def test_observed_ranges_span_every_observation_of_the_layer():
    seen = [{"a": 0.7, "b": 0.1}, {"a": 0.5, "b": 0.4}, {"a": 0.6, "b": 0.2}]
    ranges = observed_ranges([layer("a"), layer("b")], iter(seen))
    assert ranges == {"a": SparsityRange(0.5, 0.7), "b": SparsityRange(0.1, 0.4)}


def test_refuses_to_span_nothing():
    with pytest.raises(ConfigError, match="at least one observed sparsity, got none"):
        observed_ranges([layer("a")], [])


def test_an_ordinary_layer_keeps_its_observed_range():
    assert range_of(layer("a")) == (0.6, 0.9)


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (layer("n", LayerRole.NORMALIZATION), (0.0, 0.0)),
        (layer("p", LayerRole.PATCH_EMBEDDING), (0.15, 0.30)),
        (layer("p", LayerRole.PATCH_EMBEDDING, 4_608), (0.15, 0.30)),  # Swin's: before "small"
        (layer("s", num_weights=9_999), (0.0, 0.10)),
        (layer("s", num_weights=10_000), (0.6, 0.9)),
    ],
)
def test_structural_constraints_replace_the_observed_range(one, expected):
    assert range_of(one) == expected


def test_small_below_zero_switches_the_small_constraint_off():
    assert range_of(layer("s", num_weights=1), constraints={"small_below": 0}) == (0.6, 0.9)


def test_roles_win_over_constraints_and_layers_over_roles():
    small = layer("layer1.conv", num_weights=10)
    roles = {"convolution": (0.2, 0.3)}
    assert range_of(small, roles=roles) == (0.2, 0.3)
    assert range_of(small, roles=roles, layers={"layer1.*": (0.4, 0.5)}) == (0.4, 0.5)


def test_a_role_may_be_set_to_never_prune():
    assert range_of(layer("a"), roles={"convolution": (0.0, 0.0)}) == (0.0, 0.0)


def test_the_first_matching_pattern_wins():
    patterns = {"layer*": (0.1, 0.2), "layer1.conv": (0.4, 0.5)}
    assert range_of(layer("layer1.conv"), layers=patterns) == (0.1, 0.2)


def test_a_pattern_that_matches_no_layer_is_an_error():
    message = r"ranges.layers must hold patterns of prunable layers, got 'layr\*', which matches"
    with pytest.raises(ConfigError, match=message):
        range_of(layer("layer1.conv"), layers={"layr*": (0.1, 0.2)})


def test_patterns_tell_upper_from_lower_case_on_every_system():
    with pytest.raises(ConfigError, match="matches none of 1; the first are layer1"):
        range_of(layer("layer1"), layers={"LAYER1": (0.1, 0.2)})
