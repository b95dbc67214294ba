"""Official archives: downloaded or given, checked, and unpacked whole or not at all."""

import hashlib
import os
import shutil
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path, PurePosixPath

from mixmatch.errors import DataError
from tasks.scratch import scratch_folder

LARGEST_BYTES = 1 << 30  # that one archive may unpack to; the official ones stay well below

# What tarfile and zipfile raise on bytes that are not what they say. RuntimeError: encrypted.
_UNREADABLE = (
    *(OSError, EOFError, ValueError, RuntimeError, struct.error, zlib.error),
    *(tarfile.TarError, zipfile.BadZipFile),
)


@dataclass(frozen=True, slots=True)
class Archive:
    """One official archive.

    Attributes:
        address: where it is downloaded from; ends with its file name.
        md5: of its bytes, as torchvision knows it.
    """

    address: str
    md5: str

    @property
    def name(self) -> str:
        """Its file name."""
        return self.address.rpartition("/")[2]


def check_md5(file: Path, expected: str, advice: str) -> None:
    """Read a file once, in chunks, and compare it with the official one.

    Args:
        file: what is read.
        expected: MD5 of the official bytes.
        advice: what to do about another content, the end of the message.

    Raises:
        DataError: the file is missing, cannot be read, or has another content.
    """
    try:
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, lambda: hashlib.md5(usedforsecurity=False))
    except OSError as error:
        raise DataError(f"{file} must be readable, but: {error}; {advice}.") from error
    found = digest.hexdigest()
    if found != expected:
        raise DataError(
            f"{file} must be the official file with MD5 {expected}, found {found}; {advice}."
        )


def download(archive: Archive, folder: Path, title: str, advice: str) -> Path:
    """Fetch one file into ``folder`` and check it.

    Args:
        archive: what to fetch.
        folder: where it goes, under its own name; a failure may leave a part of it there.
        title: the data set, for the message.
        advice: what to do without a network, the end of the message.

    Raises:
        DataError: there is no network, or what came has another checksum.
    """
    from torchvision.datasets.utils import download_url  # noqa: PLC0415  loads torch

    try:
        download_url(archive.address, str(folder), md5=archive.md5)
    except (OSError, HTTPException, RuntimeError) as error:  # the last: wrong checksum
        raise DataError(
            f"{title} must be downloaded from {archive.address}, which failed ({error}); {advice}."
        ) from error
    return folder / archive.name


def install(
    folder: Path,
    files: Mapping[Archive, Path | None],
    check: Callable[[Path], object],
    *,
    title: str,
    advice: str,
) -> None:
    """Unpack archives into a new ``folder``, which appears complete and checked or not at all.

    Where it is complete already, nothing happens; two processes may install it at once.

    Args:
        folder: in the workspace; missing, empty or complete.
        files: each archive with the user's copy of it, whose checksum has been compared; None: it
            is downloaded.
        check: raises a DataError when the unpacked folder is not the data set.
        title: the data set, for messages.
        advice: what to do without a network, the end of a message.

    Raises:
        DataError: a download failed, an archive cannot be unpacked, or ``check`` failed.
    """
    if folder.is_dir() and any(folder.iterdir()):
        _check_present(folder, check)
        return
    with scratch_folder(folder.parent) as scratch:
        content = scratch / "content"
        content.mkdir()
        for archive, given in files.items():
            unpack(given or download(archive, scratch, title, advice), archive.name, content)
        check(content)
        try:
            os.replace(content, folder)
        except OSError:  # another process was faster
            _check_present(folder, check)


def unpack(file: Path, name: str, folder: Path) -> None:
    """Unpack a file into ``folder`` and nowhere else, up to ``LARGEST_BYTES``.

    Args:
        file: a zip or a gzipped tar archive.
        name: the official name, which says which of the two.
        folder: exists.

    Raises:
        DataError: the archive is truncated or corrupt, unpacks to too much, or names a place
            outside ``folder``.
    """
    try:
        if name.endswith(".zip"):
            _unpack_zip(file, folder)
        else:
            _unpack_tar(file, folder)
    except _UNREADABLE as error:
        raise DataError(
            f"{file} must unpack into a folder of the workspace, but: {error}."
        ) from error


def _check_present(folder: Path, check: Callable[[Path], object]) -> None:
    try:
        check(folder)
    except DataError as error:
        raise DataError(
            f"{folder} must be complete or missing, but: {error} Delete it and run again."
        ) from error


def _unpack_tar(file: Path, folder: Path) -> None:
    size_bytes = 0
    with tarfile.open(file, "r:gz") as tar:
        for member in tar:
            size_bytes += member.size
            _refuse_excess(size_bytes)
            # By hand: tarfile's own filter is missing in the Python of some distributions.
            _refuse_outside(member.name)
            if member.isdir():
                (folder / member.name).mkdir(parents=True, exist_ok=True)
            elif content := tar.extractfile(member) if member.isreg() else None:
                (folder / member.name).parent.mkdir(parents=True, exist_ok=True)
                with content, (folder / member.name).open("xb") as new:
                    shutil.copyfileobj(content, new)
            else:
                raise ValueError(f"{member.name!r} is neither a file nor a folder")


def _unpack_zip(file: Path, folder: Path) -> None:
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        # No member gives more than the size that it states; zipfile stops there.
        _refuse_excess(sum(member.file_size for member in members))
        for member in members:
            _refuse_outside(member.filename)
        archive.extractall(folder)


def _refuse_outside(name: str) -> None:
    place = PurePosixPath(name)
    if place.is_absolute() or ".." in place.parts or "\\" in name:
        raise ValueError(f"{name!r} would be unpacked outside of it")


def _refuse_excess(size_bytes: int) -> None:
    if size_bytes > LARGEST_BYTES:
        raise ValueError(f"it unpacks to more than {LARGEST_BYTES:,} bytes")
