"""What computed a network: this code, its packages, this kind of machine; never its name."""

import platform
import subprocess
import tomllib
from functools import cache
from importlib.metadata import version
from pathlib import Path

from mixmatch.digests import file_digest
from mixmatch.records import Builder
from tasks.host import processor

ROOT = Path(__file__).resolve().parents[2]  # of the repository, where this runs from one
_PACKAGES = (
    *("torch", "torchvision", "timm", "numpy", "scipy", "scikit-learn", "safetensors", "zstandard"),
    *("pillow", "onnx", "onnxruntime", "pydantic", "prefect", "dask", "distributed", "mlflow"),
    "dvc",
)


@cache  # the code of a process does not change under it
def describe_builder() -> Builder:
    """Describe the code, the packages and the machine of this process."""
    commit = _git("rev-parse", "HEAD") if is_repository() else None
    changes = _git("status", "--porcelain") if commit else None
    lock = ROOT / "requirements.lock"
    return Builder(
        version=version("mixmatch"),
        commit=commit,
        clean=None if changes is None else not changes,
        packages={name: version(name) for name in _PACKAGES},
        lock_digest=file_digest(lock) if _is_project() and lock.is_file() else None,
        python=platform.python_version(),
        processor=processor(),
        system=f"{platform.system()} {platform.machine()}",
    )


def commit_exists(commit: str) -> bool | None:
    """Say whether this project's repository holds a commit; None where that cannot be known.

    A shallow clone lacks what came before.
    """
    if not is_repository() or _git("rev-parse", "--is-shallow-repository") != "false":
        return None
    return _git("cat-file", "-t", commit) == "commit"


def is_repository() -> bool:
    """Say whether this code lies in a repository of its own, not in that of another project."""
    top = _git("rev-parse", "--show-toplevel") if _is_project() else None
    return top is not None and Path(top).resolve() == ROOT


def _is_project() -> bool:
    """Say whether ROOT is this project's tree; of an installed package it is a folder of many."""
    file = ROOT / "pyproject.toml"
    if not file.is_file():
        return False
    name: object = tomllib.loads(file.read_text(encoding="utf-8")).get("project", {}).get("name")
    return name == "mixmatch"


def _git(*arguments: str) -> str | None:
    """Return what git prints; None where there is no git, or where it refuses."""
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
