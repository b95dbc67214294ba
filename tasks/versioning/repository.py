"""The workspace's DVC repository: one writer at a time, silent, its failures in sentences."""

import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from filelock import FileLock, Timeout

from mixmatch.errors import ServiceError, WorkspaceError
from tasks.versioning.mending import mend
from tasks.versioning.names import HISTORY
from tasks.workspace import Workspace

if TYPE_CHECKING:
    from dvc.repo import Repo

T = TypeVar("T")

REMOTE = "workspace"

_LOCK_TIMEOUT_S = 900.0
# DVC itself waits 3 s for another DVC process, for example one that a person started.
_BUSY_TRIES = 10
_BUSY_PAUSE_S = 1.0


@contextmanager
def writing(workspace: Workspace) -> Iterator[None]:
    """Hold the only writer's lock of ``workspace``'s DVC repository.

    Inside, DVC draws nothing on a terminal, and what it raises comes out as one of ours.

    Raises:
        ServiceError: DVC failed, or another writer held the lock for 15 minutes.
        WorkspaceError: something cannot be read or written.
    """
    from dvc.exceptions import DvcException  # noqa: PLC0415  DVC takes seconds to import

    os.environ.setdefault("DVC_NO_ANALYTICS", "1")
    try:
        workspace.locks.mkdir(parents=True, exist_ok=True)
        with FileLock(workspace.locks / "dvc.lock", timeout=_LOCK_TIMEOUT_S), _silence():
            yield
    except Timeout as error:  # also an OSError, so it comes first
        raise ServiceError(
            f"The DVC repository {workspace.dvc} must become free within {_LOCK_TIMEOUT_S:.0f} s; "
            "another run still writes to it."
        ) from error
    except DvcException as error:
        raise ServiceError(f"DVC failed in {workspace.dvc}: {_one_line(error)}.") from error
    except OSError as error:
        if isinstance(error, WorkspaceError):
            raise
        raise WorkspaceError(
            f"What goes through DVC in {workspace.dvc} must be readable and writable: "
            f"{_one_line(error)}."
        ) from error


@contextmanager
def opened_repository(workspace: Workspace) -> Iterator["Repo"]:
    """Yield the workspace's DVC repository; create it on first use.

    A configuration that is there already stays, so a person may set another remote.
    """
    from dvc.repo import Repo  # noqa: PLC0415  DVC takes seconds to import

    hidden = workspace.dvc / ".dvc"
    if not (hidden / "config").is_file():
        hidden.mkdir(parents=True, exist_ok=True)
        # Earlier pointers name the same folder as the current one: an overlap, if DVC saw them.
        (workspace.dvc / ".dvcignore").write_text(f"/{HISTORY}/\n")
        # Hard links share bytes between DVC's own cache and folder, never with the store.
        _write_config(
            hidden,
            core={"remote": REMOTE, "site_cache_dir": str(hidden / "site")},
            cache={"type": ["reflink", "hardlink", "copy"]},
            remote={REMOTE: {"url": str(workspace.dvc_remote)}},
        )
    mend(workspace.dvc)
    with Repo(str(workspace.dvc)) as repo:
        yield repo


@contextmanager
def passing_repository(root: Path, remote: Mapping[str, Any]) -> Iterator["Repo"]:
    """Yield a new DVC repository in the empty folder ``root`` that pulls from ``remote``.

    What it checks out are plain copies, and it leaves nothing outside ``root``.
    """
    from dvc.repo import Repo  # noqa: PLC0415  DVC takes seconds to import

    hidden = root / ".dvc"
    hidden.mkdir()
    _write_config(
        hidden,
        core={"remote": REMOTE, "site_cache_dir": str(hidden / "site")},
        cache={"type": ["reflink", "copy"]},
    )
    # The remote's section may hold credentials: passed on in memory, never written.
    with Repo(str(root), config={"remote": {REMOTE: dict(remote)}}) as repo:
        yield repo


def patiently(work: Callable[[], T]) -> T:
    """Return ``work()``, trying again while another DVC process holds the repository.

    Raises:
        LockError: DVC's own, after about 40 seconds.
    """
    from dvc.lock import LockError  # noqa: PLC0415  DVC takes seconds to import

    for _ in range(_BUSY_TRIES - 1):
        try:
            return work()
        except LockError:
            time.sleep(_BUSY_PAUSE_S)
    return work()


def folder_md5(files: Mapping[str, Path]) -> str:
    """Return the hash that DVC gives a folder of these files, ends in ``.dir``; reads them all.

    Args:
        files: path inside the folder, with forward slashes, to the file.
    """
    from dvc_data.hashfile.hash import file_md5  # noqa: PLC0415  DVC takes seconds to import
    from dvc_data.hashfile.hash_info import HashInfo  # noqa: PLC0415  likewise
    from dvc_data.hashfile.tree import Tree  # noqa: PLC0415  likewise
    from dvc_objects.fs.local import localfs  # noqa: PLC0415  likewise

    tree = Tree()  # type: ignore[no-untyped-call]
    for inside, file in files.items():
        tree.add(tuple(inside.split("/")), None, HashInfo("md5", file_md5(str(file), localfs)))
    tree.digest()
    return str(tree.hash_info.value)


def _write_config(hidden: Path, **sections: Mapping[str, Any]) -> None:
    """Write a DVC configuration without git, complete or not at all; nothing in it calls home."""
    from dvc.config import Config  # noqa: PLC0415  DVC takes seconds to import

    with tempfile.TemporaryDirectory(dir=hidden) as scratch:
        with Config.init(scratch).edit("repo") as config:
            for section, values in sections.items():
                config[section].update(values)
            config["core"].update(no_scm=True, analytics=False, check_update=False)
        os.replace(Path(scratch) / "config", hidden / "config")


@contextmanager
def _silence() -> Iterator[None]:
    """Switch off the bars and spinners that DVC draws on a terminal, from library calls too."""
    from dvc.ui import ui  # noqa: PLC0415  DVC takes seconds to import

    bars, console = logging.getLogger("dvc.progress"), ui.error_console
    level, quiet = bars.level, console.quiet
    bars.setLevel(logging.CRITICAL)
    console.quiet = True
    try:
        yield
    finally:
        bars.setLevel(level)
        console.quiet = quiet


def _one_line(error: Exception) -> str:
    """Join the lines of a message and drop its full stop."""
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
