"""The ``model`` section of a run file: the trained network that is to be compressed."""

import re
from typing import Literal, Self

from pydantic import Field, JsonValue, field_validator, model_validator

from mixmatch.config.fields import Settings
from mixmatch.digests import canonical_json
from mixmatch.roles import LayerRole
from mixmatch.s3_address import checked_place

_FACTORY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")

_CHECKPOINTS = "a .safetensors, .pt or .pth file, models:/NAME@alias, timm"


class TrainSettings(Settings):
    """How the run trains the base network itself when there is no checkpoint."""

    epochs: int = Field(8, ge=1, description="Passes over the training images.")
    learning_rate: float = Field(1e-3, gt=0, description="Peak step size of AdamW.")
    weight_decay: float = Field(0.01, ge=0, description="Decoupled weight decay.")
    schedule: Literal["one_cycle", "constant"] = Field(
        "one_cycle", description="Course of the step size."
    )
    batch_size: int = Field(128, ge=2, description="Images per step.")


class ModelSettings(Settings):
    """Which architecture, and where its trained weights come from."""

    architecture: str = Field(
        min_length=1, description="A timm name, vgg11_cifar, or package.module:factory."
    )
    arguments: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="For the constructor; img_size is added where the model takes it.",
    )
    checkpoint: str | None = Field(
        None,
        description="A .safetensors, .pt or .pth file, here or at s3://BUCKET/KEY, "
        "models:/NAME@alias, or timm (its pretrained weights); null: the run trains the base.",
    )
    roles: dict[str, LayerRole] = Field(
        default_factory=dict,
        description="path pattern (fnmatch): role; the first match wins over what is recognised.",
    )
    allow_new_head: bool = Field(
        False, description="Accept a checkpoint whose classifier differs, and train a new one."
    )
    train: TrainSettings = TrainSettings()

    @field_validator("checkpoint")
    @classmethod
    def _address_is_whole(cls, checkpoint: str | None) -> str | None:
        return None if checkpoint is None else checked_place(checkpoint, _CHECKPOINTS)

    @field_validator("arguments", mode="before")
    @classmethod
    def _arguments_are_plain(cls, arguments: object) -> object:
        # They go into digests and packed headers; YAML also gives dates, NaN and infinity.
        try:
            canonical_json(arguments)
        except (TypeError, ValueError) as error:
            allowed = "text, finite numbers, true, false, null, lists and mappings of these"
            raise ValueError(f"must hold only {allowed} ({error})") from error
        return arguments

    @model_validator(mode="after")
    def _architecture_is_a_plain_name(self) -> Self:
        if ":" in self.architecture and _FACTORY.fullmatch(self.architecture):
            return self
        if ":" in self.architecture or "/" in self.architecture:
            raise ValueError(
                "architecture must be a timm model name without a source prefix such as "
                f"hf-hub: or local-dir:, or package.module:factory, got {self.architecture!r}"
            )
        return self

    @model_validator(mode="after")
    def _arguments_load_nothing(self) -> Self:
        refused = {"pretrained", "checkpoint_path", "pretrained_cfg", "cache_dir", "num_classes"}
        if found := sorted(refused & set(self.arguments)):
            raise ValueError(
                f"arguments must not set {found}: weights come from checkpoint, classes from data"
            )
        return self
