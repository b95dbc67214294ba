"""What all jobs share: a key that is the digest of all true inputs."""

from typing import ClassVar

from mixmatch.digests import json_digest
from mixmatch.records import Record


class Job(Record):
    """Base of all jobs: ``inputs`` is what the key is the digest of."""

    step: ClassVar[str]
    kind: ClassVar[type[Record]]  # of the record that the step returns
    step_version: ClassVar[int] = 1

    @property
    def inputs(self) -> dict[str, object]:
        """All true inputs as plain JSON, with the step's name and version.

        What is None is left out: a setting that is added later and off by default leaves the keys
        of old jobs as they are.
        """
        stated = self.model_dump(mode="json", exclude_none=True)
        return {"step": self.step, "version": self.step_version, **stated}

    @property
    def key(self) -> str:
        """SHA-256 of ``inputs``, 64 hexadecimal characters."""
        return json_digest(self.inputs)
