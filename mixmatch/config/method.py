"""The ``ranges`` and ``fine_tune`` sections of a run file."""

from typing import Literal

from pydantic import Field

from mixmatch.config.fields import Fraction, Interval, Settings
from mixmatch.roles import LayerRole

Baseline = Literal["MAG", "SNIP", "GraSP", "random"]


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
    targets: tuple[Fraction, ...] = Field(
        (0.7, 0.8, 0.9), min_length=1, description="Global sparsities at which they are observed."
    )
    constraints: ConstraintSettings = ConstraintSettings()
    roles: dict[LayerRole, Interval] = Field(
        default_factory=dict, description="role: [low, high]; wins over constraints."
    )
    layers: dict[str, Interval] = Field(
        default_factory=dict,
        description="path pattern (fnmatch): [low, high]; the first match wins, over all else.",
    )


class FineTuneSettings(Settings):
    """How a pruned network is fine-tuned under its mask."""

    optimizer: Literal["adam", "adamw", "sgd"] = Field("adam", description="SGD has momentum 0.9.")
    learning_rate: float = Field(5e-5, gt=0, description="Step size, held constant.")
    weight_decay: float = Field(0.0, ge=0, description="L2 for adam and sgd, decoupled for adamw.")
    max_epochs: int = Field(
        20, ge=0, description="Early stopping may end sooner; 0 gives an instant family."
    )
    patience: int = Field(3, ge=1, description="Epochs without a better validation accuracy.")
    batch_size: int = Field(128, ge=2, description="Images per step.")
    batch_norm_images: int = Field(
        2048, ge=0, description="Images to re-estimate batch-norm statistics with; 0: off."
    )
