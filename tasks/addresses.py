"""Addresses of servers as messages may show them: without the credentials that they may hold."""

from urllib.parse import urlsplit, urlunsplit


def shown(address: str) -> str:
    """Return ``address`` with user name and password replaced by ``***``."""
    parts = urlsplit(address)
    credentials, at, host = parts.netloc.rpartition("@")
    if not at:
        return address
    return address.replace(f"{credentials}@{host}", f"***@{host}", 1)


def bare(address: str) -> str:
    """Return ``address`` without user name, password, query and fragment: only where it leads."""
    parts = urlsplit(address)
    if not parts.netloc and not parts.query and not parts.fragment:
        return address
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
