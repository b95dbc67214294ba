"""Addresses that are told what happens. Secrets stay in the environment, named as ``${NAME}``."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_WHOLE_VARIABLE = re.compile(rf"{VARIABLE.pattern}(/.*)?")
_SCHEMES = ("http", "https")


def as_webhook(address: str) -> str:
    """Return an address of a webhook as it is.

    Raises:
        ValueError: it is no http(s) address, or holds a user name or a password.
    """
    if _WHOLE_VARIABLE.fullmatch(address):
        return address
    parts = urlsplit(address)
    if "@" in parts.netloc:
        place = f"{parts.scheme}://***@{parts.netloc.rpartition('@')[2]}"
        raise ValueError(
            "must hold no user name or password, which ${NAME} takes from the environment, got "
            f"{place!r}"
        )
    if parts.scheme not in _SCHEMES or not parts.netloc:
        raise ValueError(f"must begin with http://, https:// or ${{NAME}}, got {address!r}")
    return address


WebhookAddress = Annotated[str, AfterValidator(as_webhook)]
