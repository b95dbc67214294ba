"""A whole run file: one YAML document, one frozen ``RunConfig``."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from mixmatch.config.data import DataSettings
from mixmatch.config.fields import Settings
from mixmatch.config.method import FineTuneSettings, RangeSettings
from mixmatch.config.model import ModelSettings
from mixmatch.errors import ConfigError

CriterionName = Literal["magnitude", "gradient", "product"]

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


class EngineSettings(Settings):
    """Where and how the members of the family are computed."""

    kind: Literal["local"] = Field("local", description="Worker processes on this machine.")
    workers: Literal["auto"] | Annotated[int, Field(ge=1, le=256)] = Field(
        "auto", description="Worker processes; auto: processors / threads_per_job."
    )
    threads_per_job: int = Field(1, ge=1, le=256, description="Threads of one job, CPU only.")
    device: str = Field(
        "auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="auto: cuda where there is one."
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="auto: bfloat16 where the processor computes in it, else float32."
    )


class RunConfig(Settings):
    """Everything that a run reads; unknown keys are refused."""

    name: str | None = Field(None, description="Experiment and model; null: <data>-<architecture>.")
    seed: int = Field(0, ge=0, lt=2**31, description="Fixes split, base training, calibration.")
    data: DataSettings
    model: ModelSettings
    criteria: tuple[CriterionName, ...] = Field(
        ("magnitude",), min_length=1, description="Scores that decide which weights go."
    )
    calibration_fraction: float = Field(
        0.05, gt=0.0, lt=1.0, description="Part of the training images that feeds sensitivity."
    )
    calibration_batch: int = Field(32, ge=1, description="Images per batch of the scoring pass.")
    ranges: RangeSettings = RangeSettings()
    strategies: tuple[str, ...] | None = Field(
        None, min_length=1, description="null: the ten of the method."
    )
    fine_tune: FineTuneSettings = FineTuneSettings()
    seeds: tuple[Annotated[int, Field(ge=0, lt=2**31)], ...] = Field(
        (0,), min_length=1, description="Batch order and augmentation of fine-tuning."
    )
    register_: RegisterSettings = Field(RegisterSettings(), alias="register")
    engine: EngineSettings = EngineSettings()
    store: str | None = Field(None, description="Artifact folder; null: inside the workspace.")

    @property
    def run_name(self) -> str:
        """The name of the experiment: ``name``, else ``<data>-<architecture>``."""
        return self.name or f"{self.data.name}-{self.model.architecture}"

    @property
    def registered_name(self) -> str:
        """The name of the registered model: ``register.name``, else the run's."""
        return self.register_.name or self.run_name

    @field_validator("name")
    @classmethod
    def _name_is_safe(cls, name: str | None) -> str | None:
        return _checked_name(name)

    @field_validator("criteria", "strategies", "seeds")
    @classmethod
    def _no_duplicates(cls, values: tuple[object, ...] | None) -> tuple[object, ...] | None:
        if values is not None and len(set(values)) < len(values):
            raise ValueError(f"must not name anything twice, got {list(values)}")
        return values

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
        raise ConfigError(f"{source}: {_sentence(error)}") from error


def _checked_name(name: str | None) -> str | None:
    if name is not None and not _NAME.fullmatch(name):
        raise ValueError(
            "must be up to 100 letters, digits, '.', '_' or '-', beginning with a "
            f"letter or digit, got {name!r}"
        )
    return name


def _sentence(error: ValidationError) -> str:
    """Say the first problem of a validation in one sentence: setting, value, what is allowed."""
    first = error.errors()[0]
    setting = ".".join(str(part) for part in first["loc"]) or "the run file"
    if first["type"] == "missing":
        return f"{setting} must be given; it has no default."
    if first["type"] == "extra_forbidden":
        return f"{setting} is not a setting; see the run file section of the README for all names."
    if first["type"] == "value_error":
        message = str(first["ctx"]["error"])
        if not first["loc"]:
            return f"{message}."
        return f"{setting} {message}." if message.startswith("must") else f"{setting}.{message}."
    rule = first["msg"].removeprefix("Input ").removeprefix("should ")
    hint = _percent_hint(first["input"], first["type"])
    return f"{setting} must {rule}, got {first['input']!r}.{hint}"


def _percent_hint(value: object, kind: str) -> str:
    is_percent = isinstance(value, int | float) and kind == "less_than_equal" and 1 < value <= 100
    return f" Sparsities are fractions: {value} % is {value / 100}." if is_percent else ""
