"""What a killed writer leaves in a DVC repository and DVC itself cannot get past.

DVC writes its pointers and its list of who reads and writes in place, so both may be torn; and it
takes the list's entries for living as soon as their process numbers are given again.
"""

import json
import logging
from pathlib import Path
from typing import Any

import psutil
import yaml

_log = logging.getLogger(__name__)


def mend(repository: Path) -> None:
    """Remove torn pointers, and a list of readers and writers in which nobody lives.

    Call it as the only writer. Pointers of finished versions are kept elsewhere, and the content
    of a torn one is versioned anew.
    """
    for pointer in repository.glob("*.dvc"):
        if pointer.is_file() and _is_torn(pointer):
            _log.warning("%s is torn by an interrupted writer, and removed.", pointer)
            pointer.unlink(missing_ok=True)
    entries = repository / ".dvc" / "tmp" / "rwlock"
    if entries.is_file() and not _is_anybody_alive(entries):
        entries.unlink(missing_ok=True)


def _is_torn(pointer: Path) -> bool:
    """Say whether the file names nothing; DVC writes the path last."""
    try:
        outs = yaml.safe_load(pointer.read_text(encoding="utf-8"))["outs"]
        return not all(out["path"] for out in outs)
    except (UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError):
        return True


def _is_anybody_alive(entries: Path) -> bool:
    """Say whether a process that DVC's list names still is the one that wrote itself down."""
    try:
        written_at = entries.stat().st_mtime
        pids = set(_pids(json.loads(entries.read_text())))
    except (FileNotFoundError, ValueError):
        return False
    return any(_is_older(pid, written_at) for pid in pids)


def _pids(entries: Any) -> list[int]:  # noqa: ANN401  whatever JSON was there
    """Collect the process numbers, however deep they stand."""
    if isinstance(entries, dict):
        own = [entries["pid"]] if isinstance(entries.get("pid"), int) else []
        return own + [pid for value in entries.values() for pid in _pids(value)]
    if isinstance(entries, list):
        return [pid for value in entries for pid in _pids(value)]
    return []


def _is_older(pid: int, written_at: float) -> bool:
    """Say whether ``pid`` lives and began before the list was last written."""
    try:
        return psutil.Process(pid).create_time() <= written_at
    except psutil.NoSuchProcess:
        return False
