"""What this installation and machine are fit for, one finding per line."""

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from mixmatch.errors import WorkspaceError
from mixmatch.records import Record
from mixmatch.s3_address import is_s3
from tasks.workspace import Workspace

_PYTHON = ((3, 11), (3, 14))  # from, and below
_PACKAGES = ("torch", "torchvision", "timm", "prefect", "mlflow", "dvc", "dask", "distributed")
# Below which version, and what breaks silently otherwise (measured with Prefect 3.8.8).
_PINS = {
    "fastapi": ((0, 151), "every Prefect flow dies at its start"),
    "sqlalchemy": ((2, 1), "Prefect's scheduler schedules nothing, without a word"),
}
_LITTLE_DISK, _NO_DISK = 5e9, 0.5e9  # bytes; a family of ResNet-18s takes some hundred megabytes
_PATIENCE_S = 10.0  # for a bucket's server; a run waits longer
_STORE = {
    "write": ("can be written", "must be writable"),
    "read": ("returns what was written", "must return what was written"),
    "once": (
        "refuses to overwrite what is created only once",
        "must refuse to overwrite what is created only once",
    ),
}
_LITTLE_MEMORY = 2e9  # bytes; the servers take 0.8e9, a worker with torch 0.5e9


class Finding(Record):
    """One thing that was looked at.

    Attributes:
        name: what it is.
        status: ``ok``; ``warn``: works, but read it; ``fail``: has to be put right.
        sentence: what was found, and what to do.
    """

    name: str
    status: Literal["ok", "warn", "fail"]
    sentence: str


class Diagnosis(Record):
    """All findings.

    Attributes:
        ok: whether nothing fails.
        findings: in the order in which they are printed.
    """

    ok: bool
    findings: tuple[Finding, ...]


def diagnose(root: Path | None, store: str | None = None) -> Iterator[Finding]:
    """Look at versions, machine, workspace and store; loads torch, starts nothing.

    Args:
        root: of the workspace.
        store: its address as in a run file; None: the one inside the workspace.
    """
    yield _python()
    yield from map(_package, _PACKAGES)
    yield from (_pin(name, below, breaks) for name, (below, breaks) in _PINS.items())
    yield _device()
    yield _cores()
    yield _memory()
    try:
        workspace = Workspace.open(root)
    except WorkspaceError as error:
        yield Finding(name="workspace", status="fail", sentence=str(error))
        return
    yield Finding(name="workspace", status="ok", sentence=f"{workspace.root} can be written.")
    yield _disk(workspace.root)
    yield _database("mlflow database", workspace.mlflow_database)
    yield _database("prefect database", workspace.prefect / "prefect.db")
    yield from _store(workspace, store or str(workspace.store))


def _store(workspace: Workspace, address: str) -> Iterator[Finding]:
    from tasks.store import open_store, try_store  # noqa: PLC0415  next to its user

    place = address if is_s3(address) else str(Path(address).expanduser().resolve())
    try:
        opened = open_store(place, workspace.cache, _PATIENCE_S)
    except ValueError as error:
        yield Finding(name="store", status="fail", sentence=f"store {error}.")
        return
    for name, problem in try_store(opened):
        able, rule = _STORE[name]
        if problem is None:
            sentence = f"{opened.address} {able}."
            yield Finding(name=f"store {name}", status="ok", sentence=sentence)
        else:
            sentence = f"{opened.address} {rule}, but: {problem}."
            yield Finding(name=f"store {name}", status="fail", sentence=sentence)


def _python() -> Finding:
    low, high = _PYTHON
    fits = low <= sys.version_info[:2] < high
    rule = "" if fits else f"; it must be at least {low[0]}.{low[1]} and below {high[0]}.{high[1]}"
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}{rule}."
    return Finding(name="python", status="ok" if fits else "fail", sentence=found)


def _package(name: str) -> Finding:
    try:
        return Finding(name=name, status="ok", sentence=f"{version(name)}.")
    except PackageNotFoundError:
        return Finding(name=name, status="fail", sentence="is not installed: run make install.")


def _pin(name: str, below: tuple[int, int], breaks: str) -> Finding:
    try:
        found = version(name)
    except PackageNotFoundError:
        return Finding(name=name, status="fail", sentence="is not installed: run make install.")
    limit = f"{below[0]}.{below[1]}"
    if tuple(int(part) for part in found.split(".")[:2]) < below:
        return Finding(name=name, status="ok", sentence=f"{found}, below {limit} as it must be.")
    sentence = f"{found} must be below {limit}, else {breaks}: run make install."
    return Finding(name=name, status="fail", sentence=sentence)


def _device() -> Finding:
    try:
        import torch  # noqa: PLC0415  takes seconds, and may be what is broken

        names = [torch.cuda.get_device_name(x) for x in range(torch.cuda.device_count())]
    except (ImportError, OSError, RuntimeError) as error:
        return Finding(name="devices", status="fail", sentence=f"torch does not load: {error}.")
    found = ", ".join(names) if names else "no accelerator, so the processor computes"
    return Finding(name="devices", status="ok", sentence=f"{found}.")


def _cores() -> Finding:
    # A container or taskset may grant fewer than the machine has.
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Finding(name="cores", status="ok", sentence=f"{usable} usable of {os.cpu_count()}.")


def _memory() -> Finding:
    import psutil  # noqa: PLC0415  not needed by any other command

    memory = psutil.virtual_memory()
    little = memory.available < _LITTLE_MEMORY
    found = f"{memory.available / 1e9:.1f} GB free of {memory.total / 1e9:.1f} GB"
    advice = "; use engine.workers=1" if little else ""
    return Finding(name="memory", status="warn" if little else "ok", sentence=f"{found}{advice}.")


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    found = f"{free / 1e9:.1f} GB free at {folder}"
    if free < _NO_DISK:
        return Finding(name="disk", status="fail", sentence=f"{found}; make room first.")
    if free < _LITTLE_DISK:
        return Finding(name="disk", status="warn", sentence=f"{found}; large networks need more.")
    return Finding(name="disk", status="ok", sentence=f"{found}.")


def _database(name: str, file: Path) -> Finding:
    if file.is_file():
        sentence = f"{file}, {file.stat().st_size / 1e6:.1f} MB."
        return Finding(name=name, status="ok", sentence=sentence)
    return Finding(name=name, status="ok", sentence="not there yet; the first run creates it.")
