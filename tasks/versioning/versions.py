"""Put files under DVC: a folder of copies, ``dvc add``, ``dvc push``."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mixmatch.errors import ConfigError, ServiceError
from tasks.scratch import scratch_folder
from tasks.site import Site
from tasks.versioning.names import check_name, is_plain_path
from tasks.versioning.pointers import current_md5, keep_pointer
from tasks.versioning.repository import folder_md5, opened_repository, patiently, writing

if TYPE_CHECKING:
    from dvc.repo import Repo


@dataclass(frozen=True, slots=True)
class VersionedFiles:
    """One version of a folder, kept by DVC and pushed to its remote.

    Attributes:
        name: the folder's name in the workspace's DVC repository.
        md5: DVC's hash of the folder, ends in ``.dir``.
        pointer: file ``NAME.dvc`` that stands for exactly this version; it never changes.
    """

    name: str
    md5: str
    pointer: Path


def version_files(site: Site, name: str, files: Mapping[str, Path]) -> VersionedFiles:
    """Put ``files`` under DVC as the folder ``name``, in the workspace, and push them.

    The same content again gives the same version, copies nothing, and puts back what the remote
    has lost. The given files are only read: what DVC links and write-protects are its own copies.

    Args:
        site: where the workspace is.
        name: plain folder name.
        files: path inside the folder, with forward slashes, to the file to take.

    Raises:
        ConfigError: ``name`` or a path inside the folder is not plain, or there are no files.
        ServiceError: DVC failed, or another writer held the repository for too long.
        WorkspaceError: a file cannot be read, or the workspace cannot be written.
    """
    check_name(name)
    _check_paths(name, files)
    workspace = site.open_workspace()
    with writing(workspace), opened_repository(workspace) as repo:
        expected, folder = folder_md5(files), workspace.dvc / name
        if not folder.is_dir() or current_md5(workspace.dvc, name) != expected:
            _fill(folder, files)
        if _add(repo, folder) != expected:  # somebody changed the folder by hand
            _fill(folder, files)
            _agree(expected, _add(repo, folder), name)
        patiently(lambda: repo.push(targets=[f"{folder}.dvc"]))
        return VersionedFiles(name, expected, keep_pointer(workspace.dvc, name, expected))


def _check_paths(name: str, files: Mapping[str, Path]) -> None:
    if not files:
        raise ConfigError(f"The DVC folder {name} must hold at least one file, got none.")
    for inside in files:
        if not is_plain_path(inside):
            raise ConfigError(
                f"A path inside the DVC folder {name} must be relative and plain, got {inside!r}."
            )


def _fill(folder: Path, files: Mapping[str, Path]) -> None:
    """Replace ``folder`` by copies of ``files``; it is complete, or absent."""
    with scratch_folder(folder.parent / ".dvc") as scratch:
        fresh = scratch / folder.name
        for inside, file in files.items():
            place = fresh / inside
            place.parent.mkdir(parents=True, exist_ok=True)
            _copy(file, place)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(fresh, folder)


def _copy(file: Path, place: Path) -> None:
    """Copy a file's bytes; where the file system can, both share them until one is written."""
    from dvc_objects.fs.system import reflink  # noqa: PLC0415  DVC takes seconds to import

    try:
        reflink(str(file), str(place))  # type: ignore[no-untyped-call]
    except OSError:  # most file systems cannot, and a missing file fails again below
        shutil.copyfile(file, place)


def _add(repo: "Repo", folder: Path) -> str:
    (stage,) = patiently(lambda: repo.add(str(folder)))
    return str(stage.outs[0].hash_info.value)


def _agree(expected: str, found: str, name: str) -> None:
    if found != expected:
        raise ServiceError(f"DVC must give the folder {name} the hash {expected}, got {found}.")
