"""The Pareto front, and how often a point is on it when the images are drawn again."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixmatch.errors import DataError
from mixmatch.pareto import TradeOff, front_shares, on_front, on_size_front, pareto_front

GRID = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])
POINTS = st.lists(st.builds(TradeOff, st.text(max_size=2), GRID, GRID), max_size=12)


@pytest.mark.parametrize(
    ("other", "dominated"),
    [
        ((0.5, 0.5), False),  # equal
        ((0.5, 0.4), True),
        ((0.4, 0.5), True),
        ((0.4, 0.6), False),
        ((0.6, 0.4), False),
    ],
)
def test_dominates_where_no_worse_on_both_axes_and_better_on_one(other, dominated):
    assert TradeOff("a", 0.5, 0.5).dominates(TradeOff("b", *other)) is dominated


def test_equal_points_all_stay():
    points = [TradeOff("a", 0.5, 0.9), TradeOff("b", 0.5, 0.9), TradeOff("c", 0.5, 0.8)]
    assert on_front(points) == [True, True, False]


def test_the_front_comes_sparsest_first():
    points = [
        TradeOff("dense", 0.1, 0.99),
        TradeOff("beaten", 0.5, 0.90),
        TradeOff("middle", 0.6, 0.95),
        TradeOff("sparse", 0.9, 0.80),
        TradeOff("again", 0.9, 0.80),
    ]
    assert [p.name for p in pareto_front(points)] == ["again", "sparse", "middle", "dense"]


def test_no_points_have_no_front():
    assert pareto_front([]) == ()
    assert on_front([]) == []
    assert on_size_front([], []) == []


@settings(deadline=None)
@given(points=POINTS)
def test_the_front_holds_the_best_and_equals_brute_force(points):
    kept = on_front(points)
    for p, is_kept in zip(points, kept, strict=True):
        beaten = False
        for q in points:
            beaten |= q.sparsity >= p.sparsity and q.accuracy > p.accuracy
            beaten |= q.sparsity > p.sparsity and q.accuracy >= p.accuracy
        assert is_kept is not beaten
    assert len(pareto_front(points)) == sum(kept)


@settings(deadline=None)
@given(points=POINTS)
def test_the_size_front_is_the_front_with_bytes_for_sparsity(points):
    sizes = [round(1000 * (1 - p.sparsity)) for p in points]
    assert on_size_front(sizes, [p.accuracy for p in points]) == on_front(points)


def test_of_two_sizes_with_one_accuracy_the_smaller_is_on_the_front():
    assert on_size_front([300, 200, 100], [0.9, 0.9, 0.8]) == [False, True, True]


def shares(sparsities, correct, **keywords):
    points = [TradeOff(str(i), s, 0.0) for i, s in enumerate(sparsities)]
    return front_shares(points, np.array(correct), **keywords)


def test_certain_cases_have_shares_of_one_and_zero():
    right, wrong = [True] * 4, [False] * 4
    assert shares([0.5, 0.9, 0.9], [right, right, wrong]) == [0.0, 1.0, 0.0]
    assert shares([0.5, 0.9], [right, wrong]) == [1.0, 1.0]
    assert shares([0.9, 0.9], [right, right]) == [1.0, 1.0]


def test_the_share_is_the_chance_that_a_deciding_image_is_drawn():
    # Only the denser point gets image 1 right: it is on the front when that is drawn, 3 in 4 times.
    share = shares([0.5, 0.9], [[True, True], [True, False]], num_resamples=20_000)
    assert share[0] == pytest.approx(0.75, abs=0.015)  # 5 standard errors
    assert share[1] == 1.0


def test_counts_over_seeds_are_accepted_and_ties_are_exact():
    assert shares([0.5, 0.5, 0.4], [[3, 0, 3], [3, 0, 3], [3, 0, 3]]) == [1.0, 1.0, 0.0]


def test_the_same_seed_gives_the_same_shares_and_another_seed_others():
    correct = np.random.default_rng(1).random((5, 40)) < 0.8
    sparsities = [0.1, 0.3, 0.5, 0.7, 0.9]
    first = shares(sparsities, correct, seed=3)
    assert first == shares(sparsities, correct, seed=3)
    assert first != shares(sparsities, correct, seed=4)


def test_shares_equal_the_front_of_every_resample():
    correct = np.random.default_rng(2).random((6, 30)) < 0.7
    sparsities = [0.1, 0.3, 0.3, 0.5, 0.7, 0.9]
    counted = np.zeros(6)
    drawn = np.random.default_rng(0).integers(30, size=(7, 30))
    for rows in drawn:
        accuracies = correct[:, rows].mean(axis=1)
        pairs = zip(sparsities, accuracies, strict=True)
        counted += on_front([TradeOff("", s, a) for s, a in pairs])
    assert shares(sparsities, correct, num_resamples=7) == list(counted / 7)


@pytest.mark.parametrize("shape", [(1, 5), (2, 0), (2,)])
def test_refuses_bits_that_do_not_belong_to_the_points(shape):
    with pytest.raises(DataError, match=r"correct must have one row per point \(2\) and at least"):
        shares([0.1, 0.2], np.ones(shape, dtype=bool))


def test_thirty_members_on_six_thousand_images_take_under_three_seconds():
    correct = np.random.default_rng(0).random((30, 6000)) < 0.9
    started = time.process_time()
    shares(np.linspace(0, 1, 30), correct)
    assert time.process_time() - started < 3.0
