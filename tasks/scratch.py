"""Scratch folders that are known to be in use for as long as their process lives.

The kernel frees the lock however the process ends, so ``reap`` removes what a killed one has left,
and nothing that a living one holds, whether that has a lease or not.
"""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = ".scratch-"


@contextmanager
def scratch_folder(
    parent: Path, *, prefix: str = PREFIX, is_shared: bool = False
) -> Iterator[Path]:
    """Yield a new folder in ``parent``, which is created; at the end it is removed.

    Args:
        parent: where it lies.
        prefix: of its name.
        is_shared: whether other processes may still write there when it is removed.
    """
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        dir=parent, prefix=prefix, ignore_cleanup_errors=is_shared
    ) as folder:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            with suppress(OSError):  # a network file system locks no folder
                fcntl.flock(descriptor, fcntl.LOCK_SH)
            yield Path(folder)
        finally:
            os.close(descriptor)


def is_in_use(path: Path) -> bool:
    """Say whether a living process of this machine holds ``path`` as its scratch folder."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except PermissionError:  # another user's, and not ours to remove
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a network file system locks no folder; there only leases tell
        return False
    finally:
        os.close(descriptor)
    return False
