"""Read a policy file."""

from pathlib import Path

from mixmatch.config import Policy, parse_policy
from tasks.run_file import read_mapping


def load_policy(path: Path, *, alias: str | None = None) -> Policy:
    """Read and check a policy.

    Args:
        path: the YAML file.
        alias: takes the place of the file's own; None: that stays.

    Raises:
        ConfigError: the file is missing or is no mapping in plain YAML, or a setting is wrong.
    """
    values = read_mapping(path, "policy")
    if alias is None:
        return parse_policy(values, str(path))
    return parse_policy({**values, "alias": alias}, f"{path} with --alias")
