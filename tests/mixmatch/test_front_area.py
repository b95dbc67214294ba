"""Areas under fronts that can be checked by eye, and their resamples."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixmatch.errors import DataError
from mixmatch.front_area import (
    Outcome,
    area_of_choice,
    hypervolume,
    resampled_areas_of_choice,
)
from mixmatch.pareto import TradeOff, on_front

ORIGIN = TradeOff("reference", 0.0, 0.0)


def bits(text):
    return np.array([x == "1" for x in text])


def points(*pairs):
    return [TradeOff(str(n), *pair) for n, pair in enumerate(pairs)]


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


def test_the_area_of_a_choice_is_under_what_was_chosen_at_each_sparsity():
    # The sparsest is the best of all here, but up to 0.5 another one was chosen.
    chosen = points((0.25, 0.5), (0.5, 0.25), (0.75, 1.0))
    assert area_of_choice(chosen, reference=ORIGIN) == 0.25 * (0.5 + 0.25 + 1.0)
    assert hypervolume(chosen, reference=ORIGIN) == 0.75
    # What is below the reference adds nothing, but is taken all the same.
    assert area_of_choice(chosen, reference=TradeOff("", 0.0, 0.5)) == 0.25 * 0.5
    assert area_of_choice(chosen, reference=TradeOff("", 0.375, 0.0)) == 0.125 * 0.25 + 0.25
    assert area_of_choice([], reference=ORIGIN) == 0.0


def test_where_accuracies_are_those_of_the_choice_the_area_is_the_volume():
    front = points((0.75, 0.25), (0.5, 0.5), (0.25, 1.0))
    assert area_of_choice(front, reference=ORIGIN) == hypervolume(front, reference=ORIGIN)


def outcomes(generator, *pairs, num_seeds=2, num_images=400):
    """Make models of a sparsity and an expected accuracy, on 300 images of validation."""

    def answers(accuracy, number):
        return generator.random((num_seeds, number)) < accuracy

    return [Outcome(x, answers(y, 300), answers(y, num_images)) for x, y in pairs]


def always(sparsity, validation, test):
    """Make a model whose answers are alike on every image."""
    return Outcome(sparsity, np.full(5, validation), np.full((3, 8), test))


def area_under(family, base, validation_images, test_images):
    """Choose the front on some images and measure on others what it makes a user take."""
    reference = TradeOff("reference", 0.25, base[test_images].mean() - 0.1)
    seen = points(*((x.sparsity, x.validation[:, validation_images].mean()) for x in family))
    found = points(*((x.sparsity, x.test[:, test_images].mean()) for x in family))
    chosen = [point for point, kept in zip(found, on_front(seen), strict=True) if kept]
    return area_of_choice(chosen, reference=reference)


def resampled(families, base, **settings):
    return resampled_areas_of_choice(
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
