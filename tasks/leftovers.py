"""Files that killed processes leave in a workspace: scratch, progress, halves of writes."""

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tasks.leases import FoundLease
from tasks.owners import Owner
from tasks.scratch import PREFIX, is_in_use
from tasks.workspace import Workspace

_TRAINING_DAYS = 30  # so long may an interrupted training wait to go on


def remove_leftovers(workspace: Workspace, living: Sequence[FoundLease]) -> tuple[str, ...]:
    """Remove what no living process can own: what is older than all their leases, and not in use.

    Args:
        workspace: its own store included; another store may be shared with other workspaces.
        living: leases of living owners; without any, what is older than now.

    Returns:
        What was removed, relative to the workspace.
    """
    cutoff = min([lease.begun for lease in living], default=time.time())
    removed = []
    for path in _transient(workspace):
        if _modified(path) < cutoff and not is_in_use(path):
            _remove(path)
            removed.append(path)
    for path in workspace.training.glob("*.safetensors"):
        if _modified(path) < time.time() - _TRAINING_DAYS * 86400:
            _remove(path)
            removed.append(path)
    return tuple(str(path.relative_to(workspace.root)) for path in removed)


def end_children(dead: Sequence[FoundLease]) -> tuple[Owner, ...]:
    """Kill the servers, with their groups, that should have ended with owners that are dead."""
    ended = []
    for child in (child for lease in dead for child in lease.children):
        if child.is_near() and child.is_alive(0.0):
            with contextlib.suppress(ProcessLookupError):  # it ended just now
                os.killpg(child.pid, signal.SIGKILL)
            ended.append(child)
    return tuple(ended)


def _transient(workspace: Workspace) -> Iterator[Path]:
    """Yield everything that should not outlive the process that made it."""
    yield from (workspace.runs / "progress").glob("*")
    yield from (workspace.store / "scratch").glob("*")
    yield from (workspace.root / "scratch").glob("*")
    yield from workspace.cache.glob("*/scratch/*")
    yield from (workspace.dvc / ".dvc").glob(f"{PREFIX}*")
    for depth in ("", "*/"):
        yield from workspace.data.glob(f"{depth}{PREFIX}*")
    yield from workspace.checkpoints.glob(f"{PREFIX}*")
    yield from workspace.training.glob("*.new")
    yield from workspace.leases.glob("*.new")
    yield from workspace.root.glob(".mlflow-*")
    yield from workspace.root.glob(".writable-*")


def _modified(path: Path) -> float:
    """Return when ``path`` last changed; the future if it has just vanished."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return float("inf")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)  # another reaper may be at it too
    else:
        path.unlink(missing_ok=True)
