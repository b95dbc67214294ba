"""What the DVC remote holds of one version, read without fetching it: for those who verify."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mixmatch.errors import ServiceError
from tasks.site import Site
from tasks.versioning.listing import listing_md5, read_listing
from tasks.versioning.names import hash_parts

_CHUNK_BYTES = 1 << 20
_HASH_FOLDER = ("files", "md5")  # of a DVC 3 cache or remote


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file of a versioned folder, as the remote holds it.

    Attributes:
        expected: MD5 that the folder's listing names.
        md5: of the bytes that are there; None: nothing is there.
        sha256: likewise.
    """

    expected: str
    md5: str | None
    sha256: str | None


@dataclass(frozen=True, slots=True)
class RemoteFolder:
    """A versioned folder, as the remote holds it.

    Attributes:
        md5: of the bytes of its listing, ends in ``.dir``; None: it is not there.
        files: by path inside the folder; empty where the listing is missing or damaged.
    """

    md5: str | None
    files: dict[str, RemoteFile]


def read_remote(site: Site, md5: str) -> RemoteFolder | None:
    """Read everything that the remote holds of one version, and digest it.

    Locks nothing and writes nothing.

    Args:
        site: whose DVC repository names the remote.
        md5: DVC's hash of the folder, ends in ``.dir``.

    Returns:
        What is there; None where this workspace has no DVC repository.

    Raises:
        ServiceError: the remote cannot be read.
        ArtifactError: ``md5``, or a path or hash in the listing, might lead elsewhere.
    """
    hidden = site.open_workspace().dvc / ".dvc"
    if not (hidden / "config").is_file():
        return None
    from dvc.exceptions import DvcException  # noqa: PLC0415  DVC takes seconds to import

    try:
        fs, root = open_remote(str(hidden))
        return _folder(fs, root, md5)
    except (DvcException, OSError) as error:
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise ServiceError(
            f"The DVC remote of {site.workspace} must be readable: {reason}."
        ) from error


def open_remote(hidden: str) -> tuple[Any, str]:
    """Return the file system and the folder of the remote that a repository names."""
    from dvc.config import Config  # noqa: PLC0415  DVC takes seconds to import
    from dvc.fs import get_cloud_fs  # noqa: PLC0415  likewise

    config = Config(hidden)
    kind, options, root = get_cloud_fs(config, name=config["core"]["remote"])
    return kind(**options), root


def hashed_place(fs: Any, root: str, md5: str) -> str:  # noqa: ANN401  DVC's, untyped
    """Return where a cache or remote keeps the file or listing of this hash.

    Raises:
        ArtifactError: it is no hash, and might lead elsewhere.
    """
    place: str = fs.join(root, *_HASH_FOLDER, *hash_parts(md5))
    return place


def read_hashed(fs: Any, root: str, md5: str) -> Iterator[bytes]:  # noqa: ANN401  DVC's, untyped
    """Yield in chunks what a cache or remote keeps under a hash; nothing where that is missing.

    Raises:
        ArtifactError: as ``hashed_place``.
    """
    try:
        opened = fs.open(hashed_place(fs, root, md5), "rb")
    except FileNotFoundError:
        return
    with opened as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


def _folder(fs: Any, root: str, md5: str) -> RemoteFolder:  # noqa: ANN401  DVC's, untyped
    content = b"".join(read_hashed(fs, root, md5))
    if not content:
        return RemoteFolder(None, {})
    found = listing_md5(content)
    if found != md5:
        return RemoteFolder(found, {})
    files = {inside: _file(fs, root, file) for inside, file in read_listing(content).items()}
    return RemoteFolder(found, files)


def _file(fs: Any, root: str, expected: str) -> RemoteFile:  # noqa: ANN401  DVC's, untyped
    digests = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    is_there = False
    for chunk in read_hashed(fs, root, expected):
        is_there = True
        for digest in digests:
            digest.update(chunk)
    if not is_there:
        return RemoteFile(expected, None, None)
    md5, sha256 = (digest.hexdigest() for digest in digests)
    return RemoteFile(expected, md5, sha256)
