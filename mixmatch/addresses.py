"""Addresses of servers as messages may show them: without the credentials that they may hold."""

import re
from urllib.parse import urlsplit, urlunsplit

_USER_INFO = re.compile(r"(://)[^/\s]*@")
# SQLAlchemy takes all up to the sign for the password, also "/", "#" and "?", at which an address
# of the web would end.
_DATABASE_LOGIN = re.compile(r"\b(?!https?:)([a-z][a-z0-9+.-]*://)[^:/@\s]*:[^@\s]*@", re.I)


def shown(address: str) -> str:
    """Return ``address`` with user name, password and query replaced by ``***``."""
    address = _DATABASE_LOGIN.sub(r"\1***@", address)
    parts = urlsplit(address)
    if parts.query:  # PostgreSQL takes a password there too
        address = address.replace(f"?{parts.query}", "?***", 1)
    credentials, at, host = parts.netloc.rpartition("@")
    if not at:
        return address
    return address.replace(f"{credentials}@{host}", f"***@{host}", 1)


def bare(address: str) -> str:
    """Return ``address`` without user name, password, query and fragment: only where it leads."""
    parts = urlsplit(_DATABASE_LOGIN.sub(r"\1***@", address))
    if not parts.netloc and not parts.query and not parts.fragment:
        return address
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def masked(text: str) -> str:
    """Return an SDK's message with user name and password of every address replaced by ``***``."""
    return _USER_INFO.sub(r"\1***@", _DATABASE_LOGIN.sub(r"\1***@", text))
