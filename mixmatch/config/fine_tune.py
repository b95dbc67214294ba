"""The ``fine_tune`` section of a run file: how a pruned network is trained under its mask."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from mixmatch.config.fields import Fraction, Settings


class DistillSettings(Settings):
    """Distillation from the dense base during fine-tuning (Hinton et al. 2015)."""

    weight: Fraction = Field(0.5, description="Share of the teacher's part in the loss.")
    temperature: float = Field(4.0, gt=0, description="Softens both distributions.")


class BudgetSettings(Settings):
    """Epochs of a whole family, spent by successive halving."""

    epochs: int = Field(ge=1, description="Epochs of all members of one seed together.")


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
    order: Literal["fan_out", "chain"] = Field(
        "fan_out",
        description="chain: strategies with nested masks start from the fine-tuned one before.",
    )
    distill: DistillSettings | None = Field(
        None, description="Learn from the dense base too; null: from labels alone."
    )
    budget: BudgetSettings | None = Field(
        None, description="Spend few epochs where they can still change the front; null: off."
    )

    @field_validator("batch_norm_images")
    @classmethod
    def _one_image_has_no_variance(cls, images: int) -> int:
        if images == 1:
            raise ValueError("must be 0 or at least 2, since one image has no variance, got 1")
        return images

    @model_validator(mode="after")
    def _one_order_of_training(self) -> Self:
        if self.budget is not None and self.order == "chain":
            raise ValueError("budget must be null with order: chain, which trains every member")
        if self.budget is not None and self.max_epochs == 0:
            raise ValueError("budget must be null with max_epochs: 0, which trains nothing")
        return self
