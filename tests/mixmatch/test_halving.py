"""Successive halving: exact budgets, and who survives."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixmatch.errors import ConfigError, DataError
from mixmatch.halving import Rung, rungs, survivors
from mixmatch.pareto import TradeOff


@pytest.mark.parametrize(
    ("num_configurations", "total_epochs", "expected"),
    [
        (9, 20, [(5, 1), (3, 1), (2, 3), (1, 6)]),
        (9, 60, [(5, 3), (3, 5), (2, 7), (1, 16)]),
        (8, 24, [(4, 2), (2, 4), (1, 8)]),
        (30, 20, [(4, 1), (2, 4), (1, 8)]),  # too few for rounds of 15 or of 8
        (30, 5, [(2, 1), (1, 3)]),
        (9, 1, [(1, 1)]),
        (2, 7, [(1, 7)]),
        (1, 7, [(1, 7)]),
    ],
)
def test_rounds_halve_and_share_the_epochs(num_configurations, total_epochs, expected):
    found = rungs(num_configurations, total_epochs)
    assert [(rung.num_survivors, rung.epochs) for rung in found] == expected


@given(num_configurations=st.integers(1, 100), total_epochs=st.integers(1, 2000))
def test_exactly_the_budget_is_spent_and_every_round_trains(num_configurations, total_epochs):
    found = rungs(num_configurations, total_epochs)
    assert sum(rung.num_survivors * rung.epochs for rung in found) == total_epochs
    assert all(rung.epochs >= 1 for rung in found)
    sizes = [num_configurations, *(rung.num_survivors for rung in found)]
    assert all(later <= max(1, -(-earlier // 2)) for earlier, later in pairwise(sizes))
    assert found[-1].num_survivors == 1


@pytest.mark.parametrize("numbers", [(0, 5), (5, 0)])
def test_no_configuration_or_no_epoch_is_refused(numbers):
    with pytest.raises(ConfigError, match="number of configurations must be at least 1, got"):
        rungs(*numbers)


def test_a_rung_says_who_and_how_long():
    assert rungs(2, 3) == (Rung(num_survivors=1, epochs=3),)


POINTS = [
    TradeOff("weak", 0.5, 0.70),
    TradeOff("dense", 0.3, 0.95),
    TradeOff("middle", 0.6, 0.90),
    TradeOff("sparse", 0.9, 0.60),
]


def test_those_most_often_on_the_front_survive():
    assert survivors(POINTS, [0.0, 0.9, 0.8, 1.0], 2) == ("sparse", "dense")


def test_a_point_off_the_front_outlives_one_that_is_less_often_on_it():
    assert survivors(POINTS, [0.5, 1.0, 0.4, 1.0], 3) == ("sparse", "dense", "weak")


def test_at_equal_shares_the_rank_decides():
    beaten = [*POINTS, TradeOff("weaker", 0.5, 0.65), TradeOff("second", 0.2, 0.80)]
    # middle beats weak, weak beats weaker; dense beats second.
    found = survivors(beaten, [0.0] * 6, 6)
    assert found == ("sparse", "middle", "dense", "weak", "second", "weaker")


def test_ties_go_to_the_sparser_then_to_the_earlier_name():
    equal = [TradeOff("b", 0.5, 0.7), TradeOff("a", 0.5, 0.7), TradeOff("c", 0.8, 0.6)]
    assert survivors(equal, [1.0, 1.0, 1.0], 3) == ("c", "a", "b")


@pytest.mark.parametrize("num", [0, 5])
def test_as_many_survive_as_there_are_at_most(num):
    with pytest.raises(DataError, match=rf"from 1 to the number of points \(4\), got {num}\."):
        survivors(POINTS, [1.0] * 4, num)


def test_a_missing_share_is_refused():
    with pytest.raises(DataError, match=r"one number per point \(4\), got 3\."):
        survivors(POINTS, [1.0] * 3, 1)
