"""Statistics with results that can be checked by eye."""

import base64
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixmatch.errors import DataError
from mixmatch.pareto import TradeOff, on_front
from mixmatch.records import Accuracy
from mixmatch.statistics import (
    Comparison,
    Outcome,
    Spread,
    hypervolume,
    paired_bootstrap,
    paired_loss,
    resampled_hypervolumes,
    spread,
)

ORIGIN = TradeOff("reference", 0.0, 0.0)


def bits(text):
    return np.array([x == "1" for x in text])


def accuracy(text):
    """Return an accuracy as it is recorded; 1 stands for an image that was classified correctly."""
    correct = bits(text)
    packed = base64.b64encode(np.packbits(correct).tobytes()).decode()
    value = correct.mean()
    return Accuracy(
        num_correct=correct.sum(),
        num_images=correct.size,
        value=value,
        low=value,
        high=value,
        loss=1.0,
        correct_bits=packed,
    )


def points(*pairs):
    return [TradeOff(str(n), *pair) for n, pair in enumerate(pairs)]


def test_mean_and_sample_deviation_divide_by_one_less():
    assert spread([1.0, 2.0, 3.0]) == Spread(2.0, 1.0, 3)
    assert spread([0.5, 0.75]) == Spread(0.625, pytest.approx(0.125 * 2**0.5), 2)


def test_equal_values_deviate_by_exactly_nothing():
    assert spread([0.1, 0.1, 0.1]) == Spread(0.1, 0.0, 3)


def test_a_single_seed_has_no_deviation():
    assert spread([0.9]) == Spread(0.9, None, 1)


def test_a_mean_of_nothing_is_refused():
    with pytest.raises(DataError, match="at least one value, got none"):
        spread([])


def test_who_is_better_on_some_image_and_worse_on_none_wins_unless_it_is_not_drawn():
    # Of 10 images the one that decides is missed by 0.9 ** 10 = 0.349 of the resamples: half a win.
    found = paired_bootstrap(bits("1111111111"), bits("1111111110"))
    assert found.probability == pytest.approx(1 - 0.349 / 2, abs=0.015)
    assert found.difference == pytest.approx(0.1)
    assert (found.low, found.high) == pytest.approx((0.0, 0.3))


def test_equal_results_tie_in_every_resample_and_ties_count_half():
    same = bits("1100110011")
    assert paired_bootstrap(same, same.copy()) == Comparison(0.5, 0.0, 0.0, 0.0)


def test_certain_cases_are_certain():
    right, wrong = np.ones(7, dtype=bool), np.zeros(7, dtype=bool)
    assert paired_bootstrap(right, wrong) == Comparison(1.0, 1.0, 1.0, 1.0)
    assert paired_bootstrap(wrong, right) == Comparison(0.0, -1.0, -1.0, -1.0)


def test_images_that_both_get_right_do_not_blur_the_pairing():
    # Each alone varies by 1.6 points; in pairs only the 20 images on which they differ vary.
    both = np.arange(1000) < 900
    better = both | (np.arange(1000) >= 980)
    assert paired_bootstrap(better, both).probability == 1.0


def test_exchanging_a_and_b_turns_the_verdict_round():
    a, b = bits("1101110101"), bits("0111010111")
    there, back = paired_bootstrap(a, b, seed=3), paired_bootstrap(b, a, seed=3)
    assert there.difference == back.difference == 0.0
    assert there.probability == pytest.approx(0.5, abs=0.02)
    assert back.probability == pytest.approx(0.5, abs=0.02)


def test_the_accuracy_of_several_seeds_is_their_mean():
    # A: half a point ahead on image 0, half behind on image 1; B has one seed only.
    a = np.array([[True, True, True], [True, False, True]])
    b = np.array([[False, True, True]])
    found = paired_bootstrap(a, b)
    assert found.difference == pytest.approx((1 - 0.5) / 3)
    one = paired_bootstrap(a[:1], bits("011"))
    assert one.difference == pytest.approx(1 / 3)


def test_repeating_the_seeds_of_one_side_changes_nothing():
    a, b = bits("11011"), bits("10111")
    assert paired_bootstrap(np.stack([a, a, a]), b) == paired_bootstrap(a, b)


def test_equals_a_bootstrap_that_draws_images_one_by_one():
    generator = np.random.default_rng(0)
    a, b = generator.random((2, 60)) < 0.75, generator.random((3, 60)) < 0.7
    drawn = generator.integers(60, size=(40_000, 60))
    differences = (a.mean(axis=0) - b.mean(axis=0))[drawn].mean(axis=1)
    won = (differences > 1e-12).mean() + 0.5 * (abs(differences) <= 1e-12).mean()
    found = paired_bootstrap(a, b, num_resamples=40_000)
    assert found.probability == pytest.approx(won, abs=0.01)  # four standard errors
    ends = np.percentile(differences, [2.5, 97.5])
    assert (found.low, found.high) == pytest.approx(tuple(ends), abs=0.003)
    assert found.difference == pytest.approx(a.mean() - b.mean())


def test_the_same_seed_gives_the_same_verdict_and_another_another():
    a, b = bits("1101110110"), bits("0111010110")
    assert paired_bootstrap(a, b, seed=1) == paired_bootstrap(a, b, seed=1)
    assert paired_bootstrap(a, b, seed=1) != paired_bootstrap(a, b, seed=2)


def test_the_loss_of_a_changed_network_is_paired_by_images():
    before, after = "1111011011", "1110011111"
    assert paired_loss(accuracy(before), accuracy(after)) == paired_bootstrap(
        bits(before), bits(after)
    )
    assert paired_loss(accuracy("11"), accuracy("00")) == Comparison(1.0, 1.0, 1.0, 1.0)
    assert paired_loss(accuracy("00"), accuracy("11")).difference == -1.0


def test_a_loss_needs_the_same_images_before_and_after():
    with pytest.raises(DataError, match="must be of the same images, got 3 and 2"):
        paired_loss(accuracy("111"), accuracy("11"))


def test_memory_does_not_grow_with_resamples_times_images():
    generator = np.random.default_rng(0)
    a, b = generator.random((5, 10_000)) < 0.9, generator.random((5, 10_000)) < 0.9
    tracemalloc.start()
    paired_bootstrap(a, b, num_resamples=200_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60e6


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        (np.ones(3), "float64 of shape (3,)"),
        (np.ones((1, 1, 3), dtype=bool), "bool of shape (1, 1, 3)"),
        (np.ones((2, 0), dtype=bool), "bool of shape (2, 0)"),
    ],
)
def test_refuses_what_is_no_correctness(wrong, found):
    with pytest.raises(DataError) as error:
        paired_bootstrap(wrong, bits("111"))
    assert str(error.value) == (
        "correct_a must be bool of shape (images,) or (seeds, images) with at least one of each, "
        f"got {found}."
    )


def test_refuses_results_on_different_images():
    with pytest.raises(DataError, match="must be of the same images, got 3 and 2"):
        paired_bootstrap(bits("111"), bits("11"))


def test_the_volume_of_one_point_is_its_rectangle():
    assert hypervolume(points((0.5, 0.75)), reference=ORIGIN) == 0.375
    reference = TradeOff("reference", 0.25, 0.5)
    assert hypervolume(points((0.5, 0.75)), reference=reference) == 0.0625


def test_the_volume_of_a_front_is_its_staircase():
    # 0.25 wide at 0.25 high, 0.25 at 0.5, 0.25 at 1, from the right.
    front = points((0.75, 0.25), (0.5, 0.5), (0.25, 1.0))
    assert hypervolume(front, reference=ORIGIN) == 0.25 * (0.25 + 0.5 + 1.0)


def test_order_repeats_and_dominated_points_add_nothing():
    front = points((0.5, 0.5), (0.75, 0.25), (0.25, 1.0))
    more = [*front, *points((0.5, 0.5), (0.25, 0.25), (0.5, 0.125))]
    assert hypervolume(more, reference=ORIGIN) == hypervolume(front, reference=ORIGIN)


@pytest.mark.parametrize("pair", [(0.5, 0.9), (0.9, 0.5), (0.5, 0.5), (0.2, 0.2), (0.1, 1.0)])
def test_points_that_are_not_better_than_the_reference_on_both_axes_add_nothing(pair):
    assert hypervolume(points(pair), reference=TradeOff("", 0.5, 0.5)) == 0.0


def test_no_points_have_no_volume():
    assert hypervolume([], reference=ORIGIN) == 0.0


@settings(deadline=None)
@given(
    pairs=st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=8),
    corner=st.tuples(st.integers(0, 8), st.integers(0, 8)),
)
def test_the_volume_equals_the_cells_that_some_point_reaches(pairs, corner):
    cells = sum(
        any(x < s and y < a for s, a in pairs)
        for x in range(corner[0], 8)
        for y in range(corner[1], 8)
    )
    found = points(*((s / 8, a / 8) for s, a in pairs))
    reference = TradeOff("reference", corner[0] / 8, corner[1] / 8)
    assert hypervolume(found, reference=reference) == cells / 64
    front = [p for p, kept in zip(found, on_front(found), strict=True) if kept]
    assert hypervolume(front, reference=reference) == cells / 64


def outcomes(generator, *pairs, num_seeds=2, num_images=400):
    """Make models of a sparsity and an expected accuracy, on 300 images of validation."""

    def answers(accuracy, number):
        return generator.random((num_seeds, number)) < accuracy

    return [Outcome(x, answers(y, 300), answers(y, num_images)) for x, y in pairs]


def always(sparsity, validation, test):
    """Make a model whose answers are alike on every image."""
    return Outcome(sparsity, np.full(5, validation), np.full((3, 8), test))


def area_under(family, base, validation_images, test_images):
    """Choose the front on some images and measure it on others, by ``hypervolume``."""
    reference = TradeOff("reference", 0.25, base[test_images].mean() - 0.1)
    seen = points(*((x.sparsity, x.validation[:, validation_images].mean()) for x in family))
    found = points(*((x.sparsity, x.test[:, test_images].mean()) for x in family))
    chosen = [point for point, kept in zip(found, on_front(seen), strict=True) if kept]
    return hypervolume(chosen, reference=reference)


def resampled(families, base, **settings):
    return resampled_hypervolumes(
        families, base, reference_sparsity=0.25, reference_loss=0.1, **settings
    )


def test_where_every_image_is_answered_alike_all_resamples_have_the_areas_of_the_fronts():
    right = np.ones(8, dtype=bool)
    families = [
        [always(0.5, True, False), always(0.75, True, True)],
        [always(0.2, True, True)],
        [],
        # What only test would choose is not chosen.
        [always(0.5, True, True), always(0.75, False, True)],
        [always(0.5, False, True), always(0.75, True, False)],
        # Of two equally sparse ones the more accurate on validation stays, of two equal ones both.
        [always(0.5, False, True), always(0.5, True, False)],
        [always(0.5, True, True), always(0.5, True, False)],
    ]
    areas = resampled(families, right, num_resamples=5)
    assert areas.shape == (7, 5)
    expected = [0.5 * 0.1, 0.0, 0.0, 0.5 * 0.1, 0.0, 0.0, 0.25 * 0.1]
    np.testing.assert_allclose(areas, [[x] * 5 for x in expected], atol=1e-15)


def test_resampled_areas_are_distributed_like_those_of_images_that_are_drawn_one_by_one():
    generator = np.random.default_rng(0)
    base = generator.random(400) < 0.9
    family = outcomes(generator, (0.9, 0.9), (0.3, 0.92), (0.6, 0.9), (0.1, 0.95))
    areas = resampled([family], base, num_resamples=4000)[0]
    draw = generator.integers
    drawn = [area_under(family, base, draw(0, 300, 300), draw(0, 400, 400)) for _ in range(4000)]
    deviation = np.std(drawn)
    assert np.std(areas) == pytest.approx(deviation, rel=0.1)
    assert np.mean(areas) == pytest.approx(np.mean(drawn), abs=0.1 * deviation)


def test_families_are_measured_on_the_same_resamples():
    generator = np.random.default_rng(0)
    base = generator.random(400) < 0.9
    family = outcomes(generator, (0.5, 0.8), (0.75, 0.7))
    beside = resampled([family, family[::-1]], base)
    np.testing.assert_allclose(beside[0], beside[1], atol=1e-15)
    assert np.std(beside[0]) > 0
    np.testing.assert_array_equal(beside, resampled([family, family[::-1]], base))


@pytest.mark.parametrize("answers", [("10", "110"), ("110", "10")])
def test_refuses_families_on_different_images(answers):
    first, other = (
        Outcome(0.5, bits(answers[0]), bits("110")),
        Outcome(0.5, bits("110"), bits(answers[1])),
    )
    with pytest.raises(DataError, match="must be of the same images, got "):
        resampled([[first, other]], bits("110"))
