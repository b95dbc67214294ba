"""SHA-256 digests of files and of plain JSON: the names under which everything is stored."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

_CHUNK_BYTES = 1 << 20


def canonical_json(value: object) -> str:
    """Write plain JSON in the one form that is digested: sorted keys, no spaces, no NaN.

    Raises:
        TypeError: ``value`` holds something that is not plain JSON.
        ValueError: ``value`` holds NaN or infinity.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def json_digest(value: Mapping[str, object]) -> str:
    """Return the SHA-256 of ``value``'s canonical JSON, 64 hexadecimal characters."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, 64 hexadecimal characters; reads it in chunks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
