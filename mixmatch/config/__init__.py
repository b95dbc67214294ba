"""Every setting of a run, as frozen pydantic sections. To add one: a field with a description."""

from mixmatch.config.data import DataSettings
from mixmatch.config.engine import EngineSettings
from mixmatch.config.fine_tune import BudgetSettings, DistillSettings, FineTuneSettings
from mixmatch.config.model import ModelSettings, TrainSettings
from mixmatch.config.policy import LargestDrop, LargestLatency, Policy, parse_policy
from mixmatch.config.ranges import ConstraintSettings, RangeSettings
from mixmatch.config.retention import Retention, parse_retention
from mixmatch.config.run import RegisterSettings, RunConfig, parse_run_config

__all__ = [
    "BudgetSettings",
    "ConstraintSettings",
    "DataSettings",
    "DistillSettings",
    "EngineSettings",
    "FineTuneSettings",
    "LargestDrop",
    "LargestLatency",
    "ModelSettings",
    "Policy",
    "RangeSettings",
    "RegisterSettings",
    "Retention",
    "RunConfig",
    "TrainSettings",
    "parse_policy",
    "parse_retention",
    "parse_run_config",
]
