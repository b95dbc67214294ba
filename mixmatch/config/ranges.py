"""The ``ranges`` section of a run file: how sparse each layer may become."""

from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field

from mixmatch.config.fields import Interval, OpenFraction, Settings, as_fraction
from mixmatch.roles import LayerRole

Baseline = Literal["MAG", "SNIP", "GraSP", "LAMP", "random"]
Preset = Literal["swin", "resnet", "vgg"]


def _as_targets(values: object) -> object:
    # By hand: of a union, pydantic reports every branch and names none of them readably.
    if values == AUTO:
        return values
    if not isinstance(values, list | tuple) or not values:
        raise ValueError(f"must be {AUTO} or a list of fractions, got {values!r}")
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"must be {AUTO} or hold numbers only, got {value!r}")
        as_fraction(value)
    return tuple(float(value) for value in values)


AUTO: Final = "auto"
Targets = Annotated[tuple[float, ...] | Literal["auto"], BeforeValidator(_as_targets)]


class ConstraintSettings(Settings):
    """Ranges that replace the observed one because of a layer's role or size (METHOD, phase 1)."""

    normalization: Interval = Field((0.0, 0.0), description="Normalization is never pruned.")
    patch_embedding: Interval = Field((0.15, 0.30), description="Transformer patch embeddings.")
    small: Interval = Field((0.0, 0.10), description="Layers below small_below weights.")
    small_below: int = Field(10_000, ge=0, description="Number of weights; 0 switches it off.")


class RangeSettings(Settings):
    """How the sparsity range of every layer is found."""

    baselines: tuple[Baseline, ...] = Field(
        ("MAG", "SNIP", "GraSP"), min_length=1, description="Global rankings that are observed."
    )
    targets: Targets = Field(
        (0.7, 0.8, 0.9),
        description="Global sparsities at which they are observed; auto: chosen so that the "
        "untrained family spans from no loss to largest_loss.",
    )
    largest_loss: OpenFraction = Field(
        0.02, description="Validation accuracy that may be lost untrained; read by targets: auto."
    )
    preset: Preset | None = Field(
        None, description="A published table of ranges; replaces observation and constraints."
    )
    constraints: ConstraintSettings = ConstraintSettings()
    roles: dict[LayerRole, Interval] = Field(
        default_factory=dict, description="role: [low, high]; wins over constraints."
    )
    layers: dict[str, Interval] = Field(
        default_factory=dict,
        description="path pattern (fnmatch): [low, high]; the first match wins, over all else.",
    )
