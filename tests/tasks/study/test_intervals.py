import pytest

from mixmatch.evaluation import wilson_interval
from tasks.study.intervals import wilson_of_mean


@pytest.mark.parametrize("num_correct", [0, 3, 17, 20])
def test_is_the_interval_of_one_result_where_the_mean_is_one(num_correct):
    expected = wilson_interval(num_correct, 20)
    assert wilson_of_mean(num_correct / 20, 20) == pytest.approx(expected, abs=1e-12)


def test_a_mean_may_lie_between_whole_numbers_of_images():
    # By hand: middle (0.85 + 0.19207) / 1.38415, half 1.95996 sqrt(0.01275 + 0.0096036) / 1.38415.
    assert wilson_of_mean(0.85, 10) == pytest.approx((0.5412, 0.9646), abs=2e-4)
