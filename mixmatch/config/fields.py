"""Field types that the sections of a run file share."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Interval = Annotated[
    tuple[Fraction, Fraction], Field(description="[low, high], both fractions in [0, 1].")
]


class Settings(BaseModel):
    """Base of every section: frozen, and a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Ordered(Settings):
    """Base of sections whose intervals must have low <= high."""

    @model_validator(mode="after")
    def _intervals_are_ordered(self) -> Self:
        for name, value in self:
            intervals = value if isinstance(value, dict) else {None: value}
            for key, interval in intervals.items():
                if isinstance(interval, tuple) and len(interval) == 2 and interval[0] > interval[1]:
                    where = name if key is None else f"{name}.{key}"
                    raise ValueError(
                        f"{where} must be [low, high] with low <= high, got {list(interval)}"
                    )
        return self
