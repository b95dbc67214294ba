"""Read a run file, and say what it amounts to."""

from collections.abc import Sequence
from pathlib import Path

import yaml

from mixmatch.config import RunConfig, parse_run_config
from mixmatch.digests import json_digest
from mixmatch.errors import ConfigError
from tasks.yaml_text import parse_yaml


def load_run_file(path: Path, overrides: Sequence[str] = ()) -> RunConfig:
    """Read, override and check a run file.

    Args:
        path: the YAML file.
        overrides: ``key.sub=value`` each, applied in order; the value is YAML. A key that holds a
            dot is reached through its section: ``ranges.layers={"layer4.*": [0, 0.5]}``.

    Raises:
        ConfigError: the file is missing or is no mapping in plain YAML, an override cannot be
            applied, or a setting is wrong; one sentence.
    """
    values = read_mapping(path, "run file")
    for override in overrides:
        _apply(values, override)
    return parse_run_config(values, f"{path} with --set" if overrides else str(path))


def read_mapping(path: Path, kind: str) -> dict[str, object]:
    """Read a YAML file of settings.

    Args:
        path: the file.
        kind: what it is called in messages, for example ``run file``.

    Raises:
        ConfigError: the file is missing or is no mapping in plain YAML; one sentence.
    """
    what = f"The {kind} {path}"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(f"{what} must exist, found nothing there.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{what} must be text in UTF-8 ({error.reason}).") from error
    except OSError as error:
        raise ConfigError(f"{what} must be readable ({error.strerror}).") from error
    try:
        values = parse_yaml(text)
    except ValueError as error:
        raise ConfigError(f"{what} must be plain YAML: {error}.") from error
    if not isinstance(values, dict):
        found = "nothing" if values is None else f"a {type(values).__name__}"
        raise ConfigError(f"{what} must hold settings as name: value, found {found}.")
    return values


def settings_digest(config: RunConfig) -> str:
    """Return the SHA-256 of all settings that differ from their defaults.

    A setting that is written out at its default value changes nothing, and neither does a setting
    that a later version adds.
    """
    settings = config.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    # JSON objects have no order, and of layer patterns the first that matches wins.
    patterns = list(config.ranges.layers)
    return json_digest(settings | ({"layer_patterns": patterns} if patterns else {}))


def effective_yaml(config: RunConfig) -> str:
    """Return every setting with its value, defaults too, as a run file that means the same."""
    settings = config.model_dump(mode="json", by_alias=True)
    return yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)


def _apply(values: dict[str, object], override: str) -> None:
    """Set one value in place; missing sections are created, and checked with the rest."""
    key, equals, text = override.partition("=")
    names = key.strip().split(".")
    if not equals or not all(names):
        raise ConfigError(f"--set must be key=value or key.sub=value, got {override!r}.")
    try:
        value = parse_yaml(text)
    except ValueError as error:
        raise ConfigError(
            f"The value of --set {override!r} must be plain YAML: {error}."
        ) from error
    section = values
    for depth, name in enumerate(names[:-1], start=1):
        inner = section.setdefault(name, {})
        if not isinstance(inner, dict):
            place = ".".join(names[:depth])
            raise ConfigError(f"--set {override!r} must name a setting, but {place} is a value.")
        section = inner
    section[names[-1]] = value
