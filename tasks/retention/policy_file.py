"""Read a retention policy."""

from pathlib import Path

from mixmatch.config import Retention, parse_retention
from tasks.run_file import read_mapping


def load_retention(path: Path | None) -> Retention:
    """Read and check a retention policy; without a file, all settings are at their defaults.

    Raises:
        ConfigError: the file is missing or is no mapping in plain YAML, or a setting is wrong.
    """
    if path is None:
        return Retention()
    return parse_retention(read_mapping(path, "retention policy"), str(path))
