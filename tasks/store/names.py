"""Names of what a store holds: parts joined by ``/``, the same in a folder and in a bucket."""

import re

_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


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
