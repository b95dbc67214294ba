"""Statistics with results that can be checked by eye."""

import base64
import tracemalloc

import numpy as np
import pytest

from mixmatch.errors import DataError
from mixmatch.records import Accuracy
from mixmatch.statistics import (
    Comparison,
    Spread,
    paired_bootstrap,
    paired_loss,
    spread,
)


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
