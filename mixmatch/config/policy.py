"""A promotion policy: which version of a registered model may hold an alias."""

import re
from collections.abc import Mapping
from typing import Literal

from pydantic import Field, ValidationError, field_validator

from mixmatch.config.fields import Fraction, Settings
from mixmatch.config.sentences import sentence
from mixmatch.digests import json_digest
from mixmatch.errors import ConfigError

_ALIAS = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,99}")
# MLflow gives these a meaning of its own, or the registration of a run moves them.
_RESERVED = ("latest", "most-accurate", "smallest")


class LargestDrop(Settings):
    """How much validation accuracy a version may lose against its base."""

    drop: Fraction = Field(description="Largest accuracy drop, a fraction: 0.01 is one point.")
    of: Literal["mean", "interval_end"] = Field(
        "interval_end", description="What must satisfy it: the mean, or the 95 % upper end."
    )


class LargestLatency(Settings):
    """How long one batch may take, where that was measured."""

    seconds: float = Field(gt=0, description="Largest median, seconds for one batch.")
    runtime: Literal["torch", "onnx", "onnx-int8"] = Field("onnx", description="Of the record.")
    batch: int = Field(1, ge=1, description="Images at once; of the record.")
    processor: str = Field(description="Model of the processor that it must be measured on.")


class Policy(Settings):
    """Gates that every candidate must pass, and which of those that pass is preferred.

    Gates read validation accuracy: test images choose nothing.
    """

    alias: str = Field("champion", description="The alias that the winner holds.")
    largest_bytes: int | None = Field(None, gt=0, description="Of the packed file on disk.")
    smallest_sparsity: Fraction | None = Field(None, description="Counted, over prunable weights.")
    smallest_accuracy: Fraction | None = Field(None, description="On the validation images.")
    largest_drop: LargestDrop | None = Field(None, description="Against the base.")
    largest_latency: LargestLatency | None = Field(None, description="On a named processor.")
    on_front: bool = Field(True, description="Must be Pareto-optimal in its own family.")
    passes_audit: Literal["complete", "possible"] | Literal[False] = Field(
        "complete",
        description="complete: every link of its lineage must hold, and none may lack evidence; "
        "possible: every link that can be checked; false: nothing is asked.",
    )
    signed: bool = Field(False, description="Its lineage must carry a valid signature.")
    not_worse_by: Fraction | None = Field(
        None, description="Largest loss of validation accuracy against the present holder."
    )
    prefer: Literal["smallest", "most-accurate", "knee"] = Field(
        "smallest", description="Among those that pass."
    )
    may_return: bool = Field(
        False,
        description="Whether a version may win that was rolled back from, or refused by a person.",
    )
    needs_approval: bool = Field(
        False, description="A person must approve; promote then leaves a request."
    )

    @field_validator("passes_audit", mode="before")
    @classmethod
    def _audit_is_a_degree(cls, asked: object) -> object:
        # By hand: of a union, pydantic reports every branch and names none of them readably.
        if asked is True or asked == "complete":
            return "complete"
        if asked is False or asked == "possible":
            return asked
        raise ValueError(f"must be complete, possible or false, got {asked!r}")

    @property
    def digest(self) -> str:
        """SHA-256 of all settings that differ from their defaults."""
        return json_digest(self.model_dump(mode="json", exclude_defaults=True))

    @field_validator("alias")
    @classmethod
    def _alias_is_free(cls, alias: str) -> str:
        if not _ALIAS.fullmatch(alias) or alias in _RESERVED or re.fullmatch(r"v\d+", alias):
            raise ValueError(
                "must be up to 100 letters, digits, '_' or '-', beginning with a letter, and not "
                f"{', '.join(_RESERVED)} or v1, got {alias!r}"
            )
        return alias


def parse_policy(values: Mapping[str, object], source: str) -> Policy:
    """Check a policy file's content and freeze it.

    Args:
        values: the parsed YAML document.
        source: where it came from, for the message.

    Raises:
        ConfigError: a key is unknown or missing, or a value is not allowed; one sentence names
            the first setting that is wrong, its value and what is allowed.
    """
    try:
        return Policy.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{source}: {sentence(error, Policy)}") from error
