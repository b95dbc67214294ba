"""Addresses that are told what happens. Secrets stay in the environment, named as ``${NAME}``."""

import re
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator

VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_WHOLE_VARIABLE = re.compile(rf"{VARIABLE.pattern}(/.*)?")
_SCHEMES = ("http", "https")
_TOKEN = re.compile(r"(?=[^/]*[0-9])(?=[^/]*[A-Za-z])[^/]{16,}")  # as a part of a path


def as_webhook(address: str) -> str:
    """Return an address of a webhook as it is.

    Raises:
        ValueError: it is no http(s) address, or holds a user name, a password, or what looks like
            a token.
    """
    whole = _WHOLE_VARIABLE.fullmatch(address)
    parts = urlsplit(f"https://{address}" if whole else address)
    if "@" in parts.netloc:
        place = f"{parts.scheme}://***@{parts.netloc.rpartition('@')[2]}"
        raise ValueError(
            "must hold no user name or password, which ${NAME} takes from the environment, got "
            f"{place!r}"
        )
    if not whole and (parts.scheme not in _SCHEMES or not parts.netloc):
        raise ValueError(f"must begin with http://, https:// or ${{NAME}}, got {address!r}")
    if _holds_a_token(parts):
        raise ValueError(
            "must take a query's values, and parts of the path with 16 or more letters and digits, "
            "from the environment, as in https://HOST/${NAME}: they may be secrets, got "
            f"'{address.partition(parts.netloc)[0]}{parts.netloc}/***'"
        )
    return address


def _holds_a_token(parts: SplitResult) -> bool:
    """Say whether what is written out, not named, looks like a secret."""
    words = VARIABLE.sub("", parts.path).split("/")
    query = VARIABLE.sub("", parts.query)
    values = [x.partition("=")[2] if "=" in x else x for x in query.split("&")]
    return bool(parts.fragment) or any(values) or any(_TOKEN.fullmatch(x) for x in words)


WebhookAddress = Annotated[str, AfterValidator(as_webhook)]
