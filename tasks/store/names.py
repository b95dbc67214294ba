"""Names of what a store holds: parts joined by ``/``, the same in a folder and in a bucket.

Digests and keys are taken from records and lineages that others may have written, so what they
name is checked here, before it becomes a path or a key of a bucket.
"""

import re

from mixmatch.errors import ArtifactError

_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


def checked_name(name: str) -> str:
    """Return ``name`` if it stays inside any store.

    Raises:
        ValueError: it is empty, absolute, leads outside or holds other characters.
    """
    if not all(_PART.fullmatch(part) for part in name.split("/")):
        raise ValueError(
            "A name in the store must be parts of letters, digits, '.', '_' and '-', joined by '/' "
            f"and each beginning with a letter or digit, got {name!r}."
        )
    return name


def checked_prefix(prefix: str) -> str:
    """Return ``prefix`` if it begins a name; the empty one begins all.

    Raises:
        ValueError: no name begins so.
    """
    if prefix:
        checked_name(prefix.removesuffix("/"))
    return prefix


def is_digest(text: str) -> bool:
    """Say whether ``text`` can be the digest of a file: 64 hexadecimal digits, lower case."""
    return _DIGEST.fullmatch(text) is not None


def checked_digest(digest: str) -> str:
    """Return ``digest`` if it is one.

    Raises:
        ArtifactError: it is not.
    """
    if not is_digest(digest):
        raise ArtifactError(
            "A stored file must be named by its SHA-256, 64 hexadecimal digits in lower case, got "
            f"{digest!r}."
        )
    return digest


def object_name(digest: str) -> str:
    """Return the name under which a file of this digest is kept.

    Raises:
        ArtifactError: it is no digest.
    """
    return f"objects/{checked_digest(digest)[:2]}/{digest}"


def record_name(step: str, key: str) -> str:
    """Return the name under which the record of a step is kept.

    Raises:
        ArtifactError: it would lead elsewhere.
    """
    file = f"{key}.json"
    if not (_PART.fullmatch(step) and _PART.fullmatch(file)):
        raise ArtifactError(
            "A record must be named by its step and key, both of letters, digits, '.', '_' and "
            f"'-', got {step!r} and {key!r}."
        )
    return f"records/{step}/{file}"
