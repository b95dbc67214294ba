"""Field types that the sections of a run file share."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """Base of every section: frozen, finite numbers only, and a misspelt key is an error."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", protected_namespaces=(), allow_inf_nan=False
    )


def as_fraction(value: float) -> float:
    """Return a fraction as it is.

    Raises:
        ValueError: it is not in [0, 1].
    """
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"must be a fraction in [0, 1], got {value:g}{_percent_hint(value)}")
    return value


def _open(value: float) -> float:
    if not 0.0 < value < 1.0:
        rule = "a fraction above 0 and below 1"
        raise ValueError(f"must be {rule}, got {value:g}{_percent_hint(value)}")
    return value


def _percent_hint(value: float) -> str:
    return f" ({value:g} % is written {value / 100:g})" if 1 < value <= 100 else ""


def _ordered(interval: tuple[float, float]) -> tuple[float, float]:
    if interval[0] > interval[1]:
        raise ValueError(f"must be [low, high] with low <= high, got {list(interval)}")
    return interval


Fraction = Annotated[float, AfterValidator(as_fraction)]
OpenFraction = Annotated[float, AfterValidator(_open)]
Interval = Annotated[
    tuple[Fraction, Fraction],
    AfterValidator(_ordered),
    Field(description="[low, high], both fractions in [0, 1], low <= high."),
]
