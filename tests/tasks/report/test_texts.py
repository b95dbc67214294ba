import pytest

from tasks.report.texts import interval, megabytes, milliseconds, percent, points


def test_prints_a_fraction_as_percent():
    assert percent(0.98333) == "98.33 %"


def test_prints_the_ends_of_an_interval(base):
    ends = base.test.model_copy(update={"low": 0.975, "high": 0.98901})
    assert interval(ends) == "97.50 to 98.90 %"


@pytest.mark.parametrize(
    ("fraction", "text"), [(0.0123, "+1.23"), (-0.004, "-0.40"), (0.0, "0.00"), (-1e-9, "0.00")]
)
def test_prints_a_difference_with_its_sign_unless_it_is_zero(fraction, text):
    assert points(fraction) == text


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(44_745_218, "44.75 MB"), (1_000_000, "1.00 MB"), (999_949, "0.9999 MB"), (51, "0.0001 MB")],
)
def test_prints_megabytes_with_more_decimals_below_one(size_bytes, text):
    assert megabytes(size_bytes) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.000_512, "0.51"), (0.004_1, "4.10"), (0.0123, "12.3"), (0.2415, "242"), (1.5, "1,500")],
)
def test_prints_milliseconds_with_three_digits_or_more(seconds, text):
    assert milliseconds(seconds) == text
