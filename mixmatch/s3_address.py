"""Addresses in an object store, ``s3://BUCKET/KEY``: read and checked, without any access."""

import re
from dataclasses import dataclass

_SCHEME = "s3://"
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")


@dataclass(frozen=True, slots=True)
class S3Address:
    """A place in a bucket: an object, or all objects below a prefix.

    Attributes:
        bucket: its name.
        key: of the object or of the prefix, without a slash at either end; empty: all of the
            bucket.
    """

    bucket: str
    key: str

    @classmethod
    def parse(cls, text: str) -> "S3Address":
        """Read ``s3://BUCKET/KEY``.

        Raises:
            ValueError: it is no such address, or holds credentials; what follows ``must``.
        """
        if "@" in text.removeprefix(_SCHEME).partition("/")[0] or "?" in text:
            # Not shown: what is in the way here is what nobody may read in a log.
            raise ValueError(
                "must be s3://BUCKET/KEY without credentials, which come from the environment or "
                "the SDK's own files"
            )
        bucket, _, key = text.removeprefix(_SCHEME).partition("/")
        key = key.removesuffix("/")
        if not (text.startswith(_SCHEME) and _BUCKET.fullmatch(bucket) and _is_key(key)):
            raise ValueError(
                "must be s3://BUCKET/KEY with a key of printable parts that are neither empty nor "
                f"'.' nor '..', got {text!r}"
            )
        return cls(bucket, key)

    def __str__(self) -> str:
        """Write the address as it is read."""
        return f"{_SCHEME}{self.bucket}/{self.key}".removesuffix("/")


def is_s3(place: str) -> bool:
    """Say whether a setting means an object store rather than a local path."""
    return place.startswith("s3:")


def checked_place(place: str, allowed: str) -> str:
    """Return a setting that is a local path or an address in an object store.

    Args:
        place: the setting.
        allowed: what a local one must be, for the message: ``a folder``.

    Raises:
        ValueError: it is an address of another kind, or a wrong one; what follows the setting.
    """
    if is_s3(place):
        return str(S3Address.parse(place))
    if "://" in place:
        raise ValueError(f"must be {allowed}, or s3://BUCKET/KEY, got {place!r}")
    return place


def _is_key(key: str) -> bool:
    parts = key.split("/") if key else []
    return key.isprintable() and not {"", ".", ".."} & set(parts) and "\\" not in key
