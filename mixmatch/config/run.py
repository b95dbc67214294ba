"""A whole run file: one YAML document, one frozen ``RunConfig``."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from mixmatch.config.data import DataSettings
from mixmatch.config.engine import EngineSettings
from mixmatch.config.fields import OpenFraction, Settings
from mixmatch.config.fine_tune import FineTuneSettings
from mixmatch.config.model import ModelSettings
from mixmatch.config.notify import WebhookAddress
from mixmatch.config.ranges import RangeSettings
from mixmatch.config.sentences import sentence
from mixmatch.errors import ConfigError
from mixmatch.s3_address import checked_place

CriterionName = Literal["magnitude", "gradient", "product"]
RivalName = Literal["dense", "MAG", "SNIP", "GraSP", "PROD", "LAMP", "uniform", "random"]

# Becomes a folder, a registered model and a Prefect name: no separators, no shell characters.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class RegisterSettings(Settings):
    """Whether the front goes to the model registry, and under what name."""

    enabled: bool = Field(True, description="Register one version per model on the front.")
    name: str | None = Field(None, description="Registered model; null: the run's name.")

    @field_validator("name")
    @classmethod
    def _name_is_safe(cls, name: str | None) -> str | None:
        return _checked_name(name)


class RunConfig(Settings):
    """Everything that a run reads; unknown keys are refused."""

    name: str | None = Field(None, description="Experiment and model; null: <data>-<architecture>.")
    seed: int = Field(0, ge=0, lt=2**31, description="Fixes split, base training, calibration.")
    data: DataSettings
    model: ModelSettings
    criteria: tuple[CriterionName, ...] = Field(
        ("magnitude",), min_length=1, description="Scores that decide which weights go."
    )
    calibration_fraction: OpenFraction = Field(
        0.05, description="Part of the training images that feeds sensitivity."
    )
    calibration_batch: int = Field(32, ge=1, description="Images per batch of the scoring pass.")
    ranges: RangeSettings = RangeSettings()
    strategies: tuple[str, ...] | None = Field(
        None, min_length=1, description="null: the ten of the method."
    )
    target_sparsity: tuple[OpenFraction, ...] = Field(
        (), description="Global sparsities; each adds the strategy target_0.90 that reaches it."
    )
    fine_tune: FineTuneSettings = FineTuneSettings()
    seeds: tuple[Annotated[int, Field(ge=0, lt=2**31)], ...] = Field(
        (0,), min_length=1, description="Batch order and augmentation of fine-tuning."
    )
    compare: tuple[RivalName, ...] = Field(
        (), description="Rivals: same base, data and seeds, max_epochs of fine-tuning each."
    )
    compare_sparsities: tuple[OpenFraction, ...] | None = Field(
        None, min_length=1, description="null: those that the family reaches."
    )
    quantize: Literal["none", "front", "all"] = Field(
        "front", description="Whose int8 file is written and evaluated; front: either front's."
    )
    latency: Literal["none", "front"] = Field(
        "front", description="Whose latency is measured here, beside the base's; none: nobody's."
    )
    register_: RegisterSettings = Field(RegisterSettings(), alias="register")
    engine: EngineSettings = EngineSettings()
    notify: tuple[WebhookAddress, ...] = Field(
        (), description="Addresses told of failures and new fronts; ${NAME} is a variable's value."
    )
    store: str | None = Field(
        None,
        description="Artifact store: a folder, or s3://BUCKET/PREFIX; null: inside the workspace.",
    )

    @property
    def run_name(self) -> str:
        """The name of the experiment: ``name``, else ``<data>-<architecture>``.

        Of a user's own ``package.module:factory`` the factory stands for the architecture.
        """
        return self.name or f"{self.data.name}-{self.model.architecture.rpartition(':')[2]}"

    @property
    def registered_name(self) -> str:
        """The name of the registered model: ``register.name``, else the run's."""
        return self.register_.name or self.run_name

    @field_validator("name")
    @classmethod
    def _name_is_safe(cls, name: str | None) -> str | None:
        return _checked_name(name)

    @field_validator(
        *("criteria", "strategies", "seeds", "target_sparsity", "compare", "compare_sparsities"),
        "notify",
    )
    @classmethod
    def _no_duplicates(cls, values: tuple[object, ...] | None) -> tuple[object, ...] | None:
        if values is not None and len(set(values)) < len(values):
            raise ValueError(f"must not name anything twice, got {list(values)}")
        return values

    @field_validator("store")
    @classmethod
    def _store_is_a_folder_or_bucket(cls, store: str | None) -> str | None:
        return None if store is None else checked_place(store, "a folder")

    @model_validator(mode="after")
    def _folder_has_a_root(self) -> Self:
        # Not in the data section itself: a fetch job clears the root, which is no true input.
        name, root = self.data.name, self.data.root
        if name == "image_folder" and root is None:
            raise ValueError("data.root must name a folder of class folders for image_folder")
        if name == "digits" and root is not None:
            raise ValueError(f"data.root must be null for digits, which are embedded, got {root!r}")
        return self

    @model_validator(mode="after")
    def _strategies_exist(self) -> Self:
        from mixmatch.strategies import STRATEGIES  # noqa: PLC0415  strategies read the settings

        unknown = [name for name in self.strategies or () if name not in STRATEGIES]
        if unknown:
            raise ValueError(f"strategies must be among {sorted(STRATEGIES)}, got {unknown}")
        return self


def parse_run_config(values: Mapping[str, object], source: str) -> RunConfig:
    """Check a run file's content and freeze it.

    Args:
        values: the parsed YAML document.
        source: where it came from, for the message.

    Raises:
        ConfigError: a key is unknown or missing, or a value is not allowed; one sentence names
            the first setting that is wrong, its value and what is allowed.
    """
    try:
        return RunConfig.model_validate(values)
    except ValidationError as error:
        # Without its cause, which shows what was refused: a traceback may land in a server's log.
        raise ConfigError(f"{source}: {sentence(error, RunConfig)}") from None


def _checked_name(name: str | None) -> str | None:
    if name is not None and not _NAME.fullmatch(name):
        raise ValueError(
            "must be up to 100 letters, digits, '.', '_' or '-', beginning with a "
            f"letter or digit, got {name!r}"
        )
    return name
