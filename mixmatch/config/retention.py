"""A retention policy: which versions, runs and stored files of a workspace may be removed."""

from collections.abc import Mapping

from pydantic import Field, ValidationError

from mixmatch.config.fields import Settings
from mixmatch.config.sentences import sentence
from mixmatch.errors import ConfigError


class Retention(Settings):
    """What stays. Whatever one rule keeps is kept, and so is all that it needs.

    Not a matter of policy: a version that an alias or the ledger names stays.
    """

    keep_newest: int = Field(3, ge=0, description="Newest versions of each registered model.")
    keep_fronts: int = Field(
        1, ge=0, description="Newest runs of each model whose whole front stays registered."
    )
    keep_runs: int = Field(1, ge=0, description="Newest runs of each experiment.")
    keep_days: float = Field(
        30.0, ge=0, description="Versions, runs and stored files younger than this many days."
    )
    grace_hours: float = Field(
        24.0, ge=0, description="Files written within these hours stay, whatever else is said."
    )
    sole_user: bool = Field(
        False,
        description="Whether a store or DVC remote outside the workspace is used by it alone; "
        "otherwise files there stay, because other workspaces may need them.",
    )

    def file_cutoff(self, now: float) -> float:
        """Return the time before which an unneeded file must have been written; seconds."""
        return now - max(self.keep_days * 86400.0, self.grace_hours * 3600.0)


def parse_retention(values: Mapping[str, object], source: str) -> Retention:
    """Check a retention policy's content and freeze it.

    Args:
        values: the parsed YAML document.
        source: where it came from, for the message.

    Raises:
        ConfigError: a key is unknown, or a value is not allowed; one sentence.
    """
    try:
        return Retention.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{source}: {sentence(error, Retention)}") from error
