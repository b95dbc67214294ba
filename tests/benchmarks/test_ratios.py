import pytest

from benchmarks.ratios import Comparison, Measured, fallen, measure, seconds


def comparison(goal=2.0, ours=lambda: 1.0, theirs=lambda: 3.0):
    return Comparison("key", "masks", "torch", goal, ours, theirs)


def test_a_ratio_is_taken_within_a_repeat_and_its_median_counts():
    measured = Measured(comparison(), [1.0, 2.0, 4.0], [3.0, 2.0, 40.0])
    assert measured.ratios == [3.0, 1.0, 10.0]
    assert measured.ratio == 3.0


@pytest.mark.parametrize(
    ("goal", "end"), [(2.0, "2 | yes |"), (4.0, "4 | NO |"), (None, "- | - |")]
)
def test_the_row_says_whether_the_goal_is_met(goal, end):
    row = Measured(comparison(goal), [1.0, 0.5], [3.0, 1.5]).row
    assert row == f"| masks | torch | 750 ms | 2.25 s | 3 (3 to 3) | {end}"


def test_sides_take_turns_so_that_neither_always_comes_first():
    calls = []
    compared = comparison(ours=lambda: calls.append("ours"), theirs=lambda: calls.append("theirs"))
    measure([compared], 2)
    assert calls == ["ours", "theirs", "ours", "theirs", "theirs", "ours"]


def test_a_work_may_say_itself_how_long_it_took():
    (measured,) = measure([comparison()], 3)
    assert (measured.ours_s, measured.theirs_s) == ([1.0] * 3, [3.0] * 3)


@pytest.mark.parametrize("now", [3.0, 2.1, 2.0, 30.0])
def test_a_ratio_may_fall_by_a_third(now):
    assert fallen({"masks": 3.0}, {"masks": now, "new": 0.1}) == []


def test_a_ratio_that_falls_by_more_is_named_with_what_it_must_be():
    assert fallen({"masks": 3.0, "step": 1.0}, {"masks": 1.9, "step": 1.0}) == [
        "masks must be at least 2 (two thirds of the recorded 3), got 1.9."
    ]


def test_a_ratio_that_is_not_measured_any_more_is_named():
    assert fallen({"masks": 3.0}, {}) == ["masks was 3 and is not measured any more."]


def test_times_have_three_digits():
    assert [seconds(x) for x in (0.00123456, 0.9, 12.345)] == ["1.23 ms", "900 ms", "12.3 s"]
