"""Locks that live exactly as long as a process, however it ends.

The kernel frees them, also after SIGKILL, so neither a recycled process number nor a changed clock
can be mistaken for a living process.
"""

import fcntl
import os
from pathlib import Path


def claim(path: Path) -> int:
    """Create ``path`` and lock it; return the descriptor that holds the lock while it is open.

    A child process that inherits the descriptor holds the lock too.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def is_claimed(path: Path) -> bool:
    """Say whether a living process holds the lock of ``path``."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        # Shared, so that two who ask at once do not take each other for the holder.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
