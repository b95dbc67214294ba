"""Pointer files: a few lines of YAML, ``NAME.dvc``, that stand for one version of a folder.

The current one of a folder lies at the repository's root; each version's own stays under
``pointers/MD5/NAME.dvc``.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import yaml

from mixmatch.errors import ConfigError
from tasks.site import Site
from tasks.versioning.names import HISTORY, check_folder_md5, check_name


@dataclass(frozen=True, slots=True)
class Pointer:
    """What a pointer file says.

    Both become paths, so there is none with a name or hash that could lead elsewhere.

    Attributes:
        name: the folder's name.
        md5: DVC's hash of the folder, ends in ``.dir``.

    Raises:
        ConfigError: the name is not plain, or the hash is none of a folder.
    """

    name: str
    md5: str

    def __post_init__(self) -> None:
        """Check both."""
        check_name(self.name)
        check_folder_md5(self.name, self.md5)


def read_pointer(file: Path) -> Pointer:
    """Read a pointer file; it may come from anywhere, so only these two facts are taken from it.

    Raises:
        ConfigError: it is missing, or is no pointer to exactly one folder.
    """
    try:
        (out,) = yaml.safe_load(file.read_text(encoding="utf-8"))["outs"]
        name, md5 = str(out["path"]), str(out["md5"])
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f"The pointer {file} must be a DVC file with exactly one folder, "
            f"got {type(error).__name__}: {error}."
        ) from error
    try:
        return Pointer(name, md5)
    except ConfigError as error:
        raise ConfigError(f"The pointer {file} must stand for a folder. {error}") from error


def write_pointer(folder: Path, pointer: Pointer) -> Path:
    """Write ``pointer`` into ``folder`` as a DVC file; return the file."""
    file = folder / f"{pointer.name}.dvc"
    out = {"md5": pointer.md5, "hash": "md5", "path": pointer.name}
    file.write_text(yaml.safe_dump({"outs": [out]}), encoding="utf-8")
    return file


def current_md5(repository: Path, name: str) -> str | None:
    """Return the hash that the folder ``name`` was last versioned with, or None."""
    place = repository / f"{name}.dvc"
    return read_pointer(place).md5 if place.is_file() else None


def current_version(site: Site, name: str) -> str | None:
    """Return the hash of the workspace's current version of the folder ``name``, or None.

    Reads the pointer file alone: that is quick, and says nothing about the remote.
    """
    return current_md5(site.open_workspace().dvc, name)


def is_kept(site: Site, name: str, md5: str) -> bool:
    """Say whether the version ``md5`` of the folder ``name`` was kept, as ``keep_pointer`` does."""
    return bool(md5) and _kept_place(site.open_workspace().dvc, name, md5).is_file()


def keep_pointer(repository: Path, name: str, md5: str) -> Path:
    """Copy the current pointer of ``name`` to its version's own place; return that place."""
    place = _kept_place(repository, name, md5)
    if not place.is_file():
        place.parent.mkdir(parents=True, exist_ok=True)
        torn = place.with_suffix(".new")
        shutil.copyfile(repository / f"{name}.dvc", torn)
        os.replace(torn, place)
    return place


def _kept_place(repository: Path, name: str, md5: str) -> Path:
    return repository / HISTORY / md5.removesuffix(".dir") / f"{name}.dvc"
