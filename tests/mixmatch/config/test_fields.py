import pytest
from pydantic import TypeAdapter, ValidationError

from mixmatch.config.fields import Fraction, Interval, OpenFraction


@pytest.mark.parametrize("value", [0, 0.5, 1])
def test_a_fraction_may_be_either_end(value):
    assert TypeAdapter(Fraction).validate_python(value) == value


@pytest.mark.parametrize(
    ("value", "hint"), [(-0.1, "-0.1"), (1.5, r"1\.5 \(1\.5 % is written 0\.015\)"), (101, "101")]
)
def test_another_number_is_no_fraction(value, hint):
    with pytest.raises(ValidationError, match=rf"a fraction in \[0, 1\], got {hint} \["):
        TypeAdapter(Fraction).validate_python(value)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_an_open_fraction_has_no_ends(value):
    with pytest.raises(ValidationError, match="a fraction above 0 and below 1, got"):
        TypeAdapter(OpenFraction).validate_python(value)


def test_an_interval_may_be_a_point_but_not_upside_down():
    assert TypeAdapter(Interval).validate_python([0.3, 0.3]) == (0.3, 0.3)
    with pytest.raises(ValidationError, match=r"low <= high, got \[0\.4, 0\.3\]"):
        TypeAdapter(Interval).validate_python([0.4, 0.3])
