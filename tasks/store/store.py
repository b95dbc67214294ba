"""What every artifact store can do, and the records that all keep in the same way."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from mixmatch.errors import ArtifactError
from mixmatch.records import SCHEMA_VERSION, Artifact, Record
from tasks.store.names import record_name

R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the store keeps of a finished step.

    Attributes:
        inputs: all true inputs, plain JSON; the record's key is their digest.
        record: what came out, plain JSON.
    """

    inputs: dict[str, object]
    record: dict[str, object]


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that a store holds.

    Attributes:
        name: parts joined by ``/``.
        size_bytes: its length.
        modified: when it was written, seconds since 1970, by the clock of who keeps it.
    """

    name: str
    size_bytes: int
    modified: float


class Store(ABC):
    """Files by the digest of their content, records by the digest of their inputs.

    A file appears under its name complete or not at all, and two writers of one digest are
    harmless.
    """

    @property
    @abstractmethod
    def address(self) -> str:
        """The folder or bucket, as messages name it."""

    @abstractmethod
    def scratch(self) -> AbstractContextManager[Path]:
        """Yield a local folder from which files can be put; its content is removed at the end."""

    @abstractmethod
    def put(self, file: Path) -> Artifact:
        """Move ``file``, which lies in a scratch folder, to its place; return its name and size.

        Raises:
            ServiceError: the store does not answer.
        """

    @abstractmethod
    def path(self, artifact: Artifact) -> Path:
        """Return the local file of ``artifact``, to be read and never written.

        Raises:
            ArtifactError: it is missing, or is not what its digest says.
            ServiceError: the store does not answer.
        """

    @abstractmethod
    def is_intact(self, artifact: Artifact) -> bool:
        """Say whether the file is there and its bytes still have the digest; reads it all."""

    @abstractmethod
    def find_file(self, digest: str) -> Path | None:
        """Return the local file of this digest; None where it is missing or has another.

        Reads it all, to know. What is no digest names no file.
        """

    @abstractmethod
    def create(self, name: str, content: bytes) -> bool:
        """Write ``content`` under ``name`` unless something is there; durable once it returns.

        Of any number of callers, on any host, one creates it.

        Args:
            name: parts joined by ``/``, as in ``ledger/000000001.json``.
            content: a few kilobytes, appears whole or not at all.

        Returns:
            True: created now. False: it existed already.

        Raises:
            ValueError: ``name`` is no such name.
            ServiceError: the store does not answer.
        """

    @abstractmethod
    def read(self, name: str) -> bytes | None:
        """Return what is written under ``name``; None where nothing is.

        Raises:
            ValueError: ``name`` is no such name.
            ArtifactError: it is not what was written.
            ServiceError: the store does not answer.
        """

    @abstractmethod
    def names(self, prefix: str) -> tuple[str, ...]:
        """Return all names that begin with ``prefix``, such as ``ledger/``, sorted.

        Raises:
            ValueError: no name begins so.
            ServiceError: the store does not answer.
        """

    @abstractmethod
    def keep(self, name: str, file: Path) -> None:
        """Copy ``file`` under ``name``, in place of what is there; it appears whole or not at all.

        For what is neither a record nor addressed by its content. Not made durable: whoever reads
        it must be able to do without.

        Raises:
            ValueError: ``name`` is no such name.
            ServiceError: the store does not answer.
        """

    @abstractmethod
    def fetch(self, name: str, file: Path) -> bool:
        """Copy what is under ``name`` to ``file``; False where nothing is.

        Raises:
            ValueError: ``name`` is no such name.
            ArtifactError: it is not what was written, or was replaced meanwhile.
            ServiceError: the store does not answer.
        """

    @abstractmethod
    def entries(self, prefix: str) -> Iterator[Entry]:
        """Yield all that is there under names that begin with ``prefix``, by name.

        Raises:
            ValueError: no name begins so.
            ServiceError: the store does not answer.
        """

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove what is under ``name``, if anything is.

        Raises:
            ValueError: ``name`` is no such name.
            ServiceError: the store does not answer.
        """

    @abstractmethod
    def _holds(self, artifact: Artifact) -> bool:
        """Say whether a record may name ``artifact`` as done."""

    @abstractmethod
    def write(self, name: str, content: bytes) -> None:
        """Write ``content`` under ``name``, in place of what is there; durable once it returns.

        Raises:
            ValueError: ``name`` is no such name.
            ServiceError: the store does not answer.
        """

    def find(self, step: str, key: str, kind: type[R]) -> R | None:
        """Return the record of a finished step, or None if it has to be computed.

        A record whose artifact is missing or corrupt, or that an older version wrote, counts as
        absent: the step is computed again and its files are replaced.
        """
        content = self._read_record(step, key)
        if content is None:
            return None
        try:
            envelope = json.loads(content)
            if envelope.get("schema") != SCHEMA_VERSION:
                return None
            record = kind.model_validate(envelope["record"])
        except (ValueError, KeyError, AttributeError, ValidationError):
            return None
        return record if all(self._holds(x) for x in record.artifacts()) else None

    def _read_record(self, step: str, key: str) -> bytes | None:
        """Return a record's text; None where there is none that is whole."""
        name = record_name(step, key)
        try:
            return self.read(name)
        except ArtifactError:  # the next computation replaces it
            return None

    def inputs(self, step: str, key: str) -> dict[str, object] | None:
        """Return what the record of a finished step was computed from; None if there is none."""
        content = self._read_record(step, key)
        if content is None:
            return None
        try:
            found: dict[str, object] = json.loads(content)["inputs"]
        except (ValueError, KeyError, TypeError):
            return None
        return found

    def envelope(self, step: str, key: str) -> Envelope | None:
        """Return inputs and record of a finished step as they are written; None as for ``find``.

        Looks at no file that the record names.
        """
        content = self._read_record(step, key)
        if content is None:
            return None
        try:
            found = json.loads(content)
            inputs, record, schema = (found[x] for x in ("inputs", "record", "schema"))
        except (ValueError, KeyError, TypeError):
            return None
        if schema != SCHEMA_VERSION or not (isinstance(inputs, dict) and isinstance(record, dict)):
            return None
        return Envelope(inputs, record)

    def commit(self, step: str, key: str, inputs: dict[str, object], record: Record) -> None:
        """Write the record of a finished step, with the inputs that its key is the digest of."""
        envelope = {
            "schema": SCHEMA_VERSION,
            "step": step,
            "key": key,
            "inputs": inputs,
            "record": record.model_dump(mode="json"),
        }
        self.write(record_name(step, key), json.dumps(envelope, indent=1).encode())
