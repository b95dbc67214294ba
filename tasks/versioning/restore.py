"""Bring a version back from the DVC remote, by its pointer alone.

The listing is read and checked before DVC sees it, and then given to DVC in these very bytes: what
somebody writes to the remote in between is not followed.
"""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mixmatch.errors import ArtifactError, WorkspaceError
from tasks.site import Site
from tasks.versioning.listing import listing_md5, read_listing
from tasks.versioning.names import hash_parts
from tasks.versioning.pointers import Pointer, read_pointer, write_pointer
from tasks.versioning.remote import open_remote, read_hashed
from tasks.versioning.repository import (
    folder_md5,
    opened_repository,
    passing_repository,
    patiently,
    writing,
)


def restore_files(site: Site, pointer: Path, target: Path) -> None:
    """Bring back the exact bytes that ``pointer`` stands for, and check them against its hash.

    Reads only the remote: neither DVC's cache nor its folder in the workspace are needed.

    Args:
        site: whose DVC repository names the remote.
        pointer: a pointer file of ``version_files``, wherever it lies.
        target: folder that will hold the files; it must be absent or empty.

    Raises:
        ConfigError: ``pointer`` is not such a pointer file.
        ArtifactError: the remote lacks the files, holds others than the hash says, or a listing
            that names files outside of the folder.
        ServiceError: DVC failed, or a writer held the repository for too long.
        WorkspaceError: ``target`` holds something, or cannot be written.
    """
    wanted = read_pointer(pointer)
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise WorkspaceError(f"The target {target} must be absent or an empty folder.")
    workspace = site.open_workspace()
    with writing(workspace):
        with opened_repository(workspace) as repo:
            remote = repo.config["remote"][repo.config["core"]["remote"]]
            listing = _listing(repo.dvc_dir, wanted, remote["url"])
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".restore-") as scratch:
            folder = _pull(Path(scratch), wanted, listing, remote)
            if target.exists():
                target.rmdir()
            os.replace(folder, target)


def _listing(hidden: str, wanted: Pointer, url: str) -> bytes:
    """Return the listing of ``wanted`` from the remote, after a look at every path in it."""
    content = b"".join(read_hashed(*open_remote(hidden), wanted.md5))
    if not content:
        raise _incomplete(wanted, url)
    if (found := listing_md5(content)) != wanted.md5:
        raise _damaged(wanted, url, found)
    read_listing(content)
    return content


def _pull(scratch: Path, wanted: Pointer, listing: bytes, remote: Mapping[str, Any]) -> Path:
    """Pull ``wanted`` into a repository that exists only for this, and check every byte."""
    from dvc.exceptions import CheckoutError, FileTransferError  # noqa: PLC0415  slow to import

    local = write_pointer(scratch, wanted)
    try:
        with passing_repository(scratch, remote) as repo:
            _keep(Path(repo.cache.local.path), wanted, listing)
            patiently(lambda: repo.pull(targets=[str(local)]))
    except (CheckoutError, FileTransferError) as error:
        raise _incomplete(wanted, remote["url"]) from error
    folder = scratch / wanted.name
    files = {x.relative_to(folder).as_posix(): x for x in folder.rglob("*") if x.is_file()}
    if (found := folder_md5(files)) != wanted.md5:
        raise _damaged(wanted, remote["url"], found)
    return folder


def _keep(cache: Path, wanted: Pointer, listing: bytes) -> None:
    """Put the listing where DVC looks for it before it asks the remote."""
    place = cache.joinpath(*hash_parts(wanted.md5))
    place.parent.mkdir(parents=True)
    place.write_bytes(listing)


def _incomplete(wanted: Pointer, url: str) -> ArtifactError:
    return ArtifactError(
        f"The DVC remote {url} must hold every file of {wanted.name} ({wanted.md5}), and some are "
        "missing."
    )


def _damaged(wanted: Pointer, url: str, found: str) -> ArtifactError:
    return ArtifactError(
        f"The DVC remote {url} must give {wanted.name} with the hash {wanted.md5}, got {found}; a "
        "file in it is damaged."
    )
