"""The ``data`` section of a run file."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from mixmatch.config.fields import OpenFraction, Settings
from mixmatch.s3_address import checked_place

DataName = Literal["digits", "fashion_mnist", "cifar10", "cifar100", "gtsrb", "image_folder"]
Augmentation = Literal["none", "crop", "crop_flip"]
Normalization = tuple[tuple[float, ...], tuple[float, ...]]


class DataSettings(Settings):
    """Which images, how they are read, and how they are split."""

    name: DataName = Field(description="The data set.")
    root: str | None = Field(
        None,
        description="Folder or archive that holds the data set, here or at s3://BUCKET/KEY; null: "
        "embedded, or downloaded into the workspace. image_folder: class folders, or train/ val/ "
        "test/ with class folders.",
    )
    validation_root: str | None = Field(
        None,
        description="Class folders, here or at s3://BUCKET/KEY, with images that the base was not "
        "trained on; they replace the validation split.",
    )
    image_size: int = Field(32, ge=8, le=1024, description="Height and width, pixels.")
    channels: Literal[1, 3] = Field(3, description="Grey images are repeated to three.")
    normalization: Normalization | None = Field(
        None,
        description="[mean, std], one number per channel each, for images in [0, 1]; null: the "
        "checkpoint's own, else the data set's.",
    )
    interpolation: Literal["nearest", "bilinear", "bicubic"] = Field(
        "bilinear", description="How images are resized."
    )
    augmentation: Augmentation | None = Field(
        None, description="null: what suits the data set (digits and signs are never flipped)."
    )
    classes: tuple[str, ...] | None = Field(
        None, description="Order of class names if a checkpoint's differs from the data set's."
    )
    train_limit: int | None = Field(
        None, ge=1, description="Use only the first n training images of a seeded shuffle."
    )
    validation_fraction: OpenFraction = Field(
        0.1, description="Part of the training images held out for choices."
    )
    test_fraction: OpenFraction = Field(
        0.2, description="Only where the data set has no test split of its own."
    )

    @field_validator("root", "validation_root")
    @classmethod
    def _place_is_known(cls, place: str | None) -> str | None:
        return None if place is None else checked_place(place, "a folder or archive")

    @model_validator(mode="after")
    def _normalization_fits_the_channels(self) -> Self:
        if self.normalization is None:
            return self
        mean, std = self.normalization
        if len(mean) != self.channels or len(std) != self.channels:
            raise ValueError(
                f"normalization must hold {self.channels} means and {self.channels} standard "
                f"deviations (channels is {self.channels}), got {len(mean)} and {len(std)}"
            )
        if min(std) <= 0:
            raise ValueError(f"normalization must have standard deviations above 0, got {std}")
        return self
