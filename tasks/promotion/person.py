"""Who asks, and why: what a person says of a change, or the system of the person."""

import getpass
import platform
from datetime import UTC, datetime

from mixmatch.errors import ConfigError

_MAX_LENGTH = 500


def check_person(by: str | None, why: str | None = None) -> str:
    """Return who asks: what was said, else the user of this process at this machine.

    Args:
        by: what was said; None: nothing.
        why: checked likewise; None: no reason is needed.

    Raises:
        ConfigError: one of them is empty, too long or not printable, or the user is unknown.
    """
    if why is not None:
        _check("--why", why)
    if by is None:
        return f"{_user()}@{platform.node() or 'localhost'}"
    _check("--by", by)
    return by


def now() -> str:
    """Return the time, ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _check(option: str, text: str) -> None:
    if not text.strip() or len(text) > _MAX_LENGTH or not text.isprintable():
        raise ConfigError(
            f"{option} must be one printable line of 1 to {_MAX_LENGTH} characters, got "
            f"{text[:80]!r}."
        )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:  # by version of Python; a container may have no users
        raise ConfigError("--by must be given where the system knows no user.") from error
