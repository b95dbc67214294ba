"""Addresses of servers as messages may show them: without the credentials that they may hold."""

from urllib.parse import urlsplit


def shown(address: str) -> str:
    """Return ``address`` with user name and password replaced by ``***``."""
    parts = urlsplit(address)
    credentials, at, host = parts.netloc.rpartition("@")
    if not at:
        return address
    return address.replace(f"{credentials}@{host}", f"***@{host}", 1)
