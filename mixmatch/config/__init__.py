"""Every setting of a run, as frozen pydantic sections. To add one: a field with a description."""

from mixmatch.config.data import DataSettings
from mixmatch.config.method import ConstraintSettings, FineTuneSettings, RangeSettings
from mixmatch.config.model import ModelSettings, TrainSettings
from mixmatch.config.run import EngineSettings, RegisterSettings, RunConfig, parse_run_config

__all__ = [
    "ConstraintSettings",
    "DataSettings",
    "EngineSettings",
    "FineTuneSettings",
    "ModelSettings",
    "RangeSettings",
    "RegisterSettings",
    "RunConfig",
    "TrainSettings",
    "parse_run_config",
]
