"""Pointer files: a few lines of YAML, ``NAME.dvc``, that stand for one version of a folder.

The current one of a folder lies at the repository's root; each version's own stays under
``pointers/MD5/NAME.dvc``.
"""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import yaml

from mixmatch.errors import ConfigError
from tasks.site import Site

HISTORY = "pointers"

_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_FOLDER_MD5 = re.compile(r"[0-9a-f]{32}\.dir")


@dataclass(frozen=True, slots=True)
class Pointer:
    """What a pointer file says.

    Attributes:
        name: the folder's name.
        md5: DVC's hash of the folder, ends in ``.dir``.
    """

    name: str
    md5: str


def check_name(name: str) -> None:
    """Refuse a folder name that is not plain.

    Raises:
        ConfigError: it has other characters than letters, digits, ``.``, ``_``, ``-``, begins with
            one of the last three, or is the history's own.
    """
    if not _PLAIN_NAME.fullmatch(name) or name == HISTORY:
        raise ConfigError(
            "The name of a DVC folder must begin with a letter or digit, consist of letters, "
            f"digits, '.', '_' and '-', and not be {HISTORY!r}; got {name!r}."
        )


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
    check_name(name)
    if not _FOLDER_MD5.fullmatch(md5):
        raise ConfigError(f"The pointer {file} must name a folder's MD5 (….dir), got {md5!r}.")
    return Pointer(name, md5)


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


def keep_pointer(repository: Path, name: str, md5: str) -> Path:
    """Copy the current pointer of ``name`` to its version's own place; return that place."""
    place = repository / HISTORY / md5.removesuffix(".dir") / f"{name}.dvc"
    if not place.is_file():
        place.parent.mkdir(parents=True, exist_ok=True)
        torn = place.with_suffix(".new")
        shutil.copyfile(repository / f"{name}.dvc", torn)
        os.replace(torn, place)
    return place
