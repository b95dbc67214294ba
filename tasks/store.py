"""The content-addressed store: the one cache that decides what is already done.

``objects/ab/abcd...`` holds files under the SHA-256 of their bytes, ``records/STEP/KEY.json`` the
record of a step under the digest of its true inputs.
"""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from mixmatch.digests import file_digest
from mixmatch.errors import ArtifactError
from mixmatch.records import SCHEMA_VERSION, Artifact, Record

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
class Store:
    """Files by the digest of their content, records by the digest of their inputs.

    Writers never overwrite: a file appears under its name complete or not at all, and two writers
    of one digest are harmless.

    Attributes:
        root: folder of the store.
    """

    root: Path

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Yield a folder on the store's file system whose content is removed at the end."""
        parent = self.root / "scratch"
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=parent) as folder:
            yield Path(folder)

    def put(self, file: Path) -> Artifact:
        """Move ``file``, which lies in a scratch folder, to its place; return its name and size."""
        artifact = Artifact(digest=file_digest(file), size_bytes=file.stat().st_size)
        place = self._place(artifact.digest)
        place.parent.mkdir(parents=True, exist_ok=True)
        _sync(file)
        os.replace(file, place)
        return artifact

    def path(self, artifact: Artifact) -> Path:
        """Return where ``artifact`` lies, after checking that it is there in full length.

        Raises:
            ArtifactError: it is missing or has another size.
        """
        place = self._place(artifact.digest)
        size = place.stat().st_size if place.is_file() else None
        if size != artifact.size_bytes:
            found = "nothing" if size is None else f"{size} bytes"
            raise ArtifactError(
                f"The store {self.root} must hold {artifact.digest} with {artifact.size_bytes} "
                f"bytes, found {found}; run again to compute it anew."
            )
        return place

    def is_intact(self, artifact: Artifact) -> bool:
        """Say whether the file is there and its bytes still have the digest; reads it all."""
        place = self._place(artifact.digest)
        return place.is_file() and file_digest(place) == artifact.digest

    def find_file(self, digest: str) -> Path | None:
        """Return where the file of this digest lies; None where it is missing or has another.

        Reads it all, to know.
        """
        place = self._place(digest)
        return place if place.is_file() and file_digest(place) == digest else None

    def find(self, step: str, key: str, kind: type[R]) -> R | None:
        """Return the record of a finished step, or None if it has to be computed.

        A record whose artifact is missing or corrupt, or that an older version wrote, counts as
        absent: the step is computed again and its files are replaced.
        """
        place = self._record_place(step, key)
        if not place.is_file():
            return None
        try:
            envelope = json.loads(place.read_text())
            if envelope.get("schema") != SCHEMA_VERSION:
                return None
            record = kind.model_validate(envelope["record"])
        except (json.JSONDecodeError, KeyError, AttributeError, ValidationError):
            return None
        return record if all(self.is_intact(x) for x in record.artifacts()) else None

    def inputs(self, step: str, key: str) -> dict[str, object] | None:
        """Return what the record of a finished step was computed from; None if there is none."""
        place = self._record_place(step, key)
        if not place.is_file():
            return None
        try:
            found: dict[str, object] = json.loads(place.read_text())["inputs"]
        except (json.JSONDecodeError, KeyError, TypeError):
            return None
        return found

    def envelope(self, step: str, key: str) -> Envelope | None:
        """Return inputs and record of a finished step as they are written; None as for ``find``.

        Looks at no file that the record names.
        """
        place = self._record_place(step, key)
        if not place.is_file():
            return None
        try:
            found = json.loads(place.read_text())
            inputs, record, schema = (found[x] for x in ("inputs", "record", "schema"))
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
            return None
        if schema != SCHEMA_VERSION or not (isinstance(inputs, dict) and isinstance(record, dict)):
            return None
        return Envelope(inputs, record)

    def commit(self, step: str, key: str, inputs: dict[str, object], record: Record) -> None:
        """Write the record of a finished step, with the inputs that its key is the digest of."""
        place = self._record_place(step, key)
        place.parent.mkdir(parents=True, exist_ok=True)
        envelope = {
            "schema": SCHEMA_VERSION,
            "step": step,
            "key": key,
            "inputs": inputs,
            "record": record.model_dump(mode="json"),
        }
        with self.scratch() as folder:
            file = folder / "record.json"
            file.write_text(json.dumps(envelope, indent=1))
            _sync(file)
            os.replace(file, place)

    def _place(self, digest: str) -> Path:
        return self.root / "objects" / digest[:2] / digest

    def _record_place(self, step: str, key: str) -> Path:
        return self.root / "records" / step / f"{key}.json"


def _sync(file: Path) -> None:
    """Force a file's bytes to disk, so that a rename never exposes a torn one."""
    with file.open("rb") as opened:
        os.fsync(opened.fileno())
