"""A store in a folder."""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mixmatch.digests import file_digest
from mixmatch.errors import ArtifactError, WorkspaceError
from mixmatch.records import Artifact
from tasks.scratch import scratch_folder
from tasks.store.names import checked_name, checked_prefix, is_digest, object_name
from tasks.store.store import Entry, Store

_SCRATCH = "scratch"
# What a file system without hard links answers.
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


@dataclass(frozen=True, slots=True)
class FolderStore(Store):
    """Files and records below one folder.

    Attributes:
        root: folder of the store.
    """

    root: Path

    @property
    def address(self) -> str:
        """The folder."""
        return str(self.root)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Yield a folder on the store's file system whose content is removed at the end."""
        with scratch_folder(self.root / _SCRATCH) as folder:
            yield folder

    def put(self, file: Path) -> Artifact:
        """Move ``file``, which lies in a scratch folder, to its place; return its name and size."""
        artifact = Artifact(digest=file_digest(file), size_bytes=file.stat().st_size)
        place = self._place(artifact.digest)
        place.parent.mkdir(parents=True, exist_ok=True)
        _sync(file)
        os.replace(file, place)
        return artifact

    def path(self, artifact: Artifact) -> Path:
        """Return where ``artifact`` lies, after checking that it is there in full length.

        Raises:
            ArtifactError: it is missing or has another size.
        """
        place = self._place(artifact.digest)
        size = place.stat().st_size if place.is_file() else None
        if size != artifact.size_bytes:
            found = "nothing" if size is None else f"{size} bytes"
            raise ArtifactError(
                f"The store {self.root} must hold {artifact.digest} with {artifact.size_bytes} "
                f"bytes, found {found}; run again to compute it anew."
            )
        return place

    def is_intact(self, artifact: Artifact) -> bool:
        """Say whether the file is there and its bytes still have the digest; reads it all."""
        return self.find_file(artifact.digest) is not None

    def find_file(self, digest: str) -> Path | None:
        """Return where the file of this digest lies; None where it is missing or has another.

        Reads it all, to know. What is no digest names no file.
        """
        if not is_digest(digest):
            return None
        place = self._place(digest)
        return place if place.is_file() and file_digest(place) == digest else None

    def create(self, name: str, content: bytes) -> bool:
        """Write ``content`` under ``name`` unless something is there.

        A hard link gives a finished file its name or fails; nobody sees a part of it.

        Raises:
            ValueError: ``name`` leads outside the store.
            WorkspaceError: the file system knows no hard links.
        """
        place = self.root / checked_name(name)
        place.parent.mkdir(parents=True, exist_ok=True)
        with self._written(content) as file:
            try:
                os.link(file, place)
            except FileExistsError:
                return False
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                raise WorkspaceError(
                    f"The store {self.root} must lie on a file system with hard links, by which "
                    f"{name} is created only once ({error.strerror})."
                ) from error
        _sync_folder(place.parent)
        return True

    def read(self, name: str) -> bytes | None:
        """Return what is written under ``name``; None where nothing is."""
        try:
            return (self.root / checked_name(name)).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None

    def names(self, prefix: str) -> tuple[str, ...]:
        """Return all names that begin with ``prefix``, sorted."""
        folder = self.root / checked_prefix(prefix).rpartition("/")[0]
        files = (x.relative_to(self.root) for x in folder.rglob("*") if x.is_file())
        found = (x.as_posix() for x in files if x.parts[0] != _SCRATCH)
        return tuple(sorted(name for name in found if name.startswith(prefix)))

    def keep(self, name: str, file: Path) -> None:
        """Copy ``file`` under ``name``, in place of what is there."""
        place = self.root / checked_name(name)
        place.parent.mkdir(parents=True, exist_ok=True)
        with self.scratch() as folder:
            shutil.copyfile(file, folder / "content")
            os.replace(folder / "content", place)

    def fetch(self, name: str, file: Path) -> bool:
        """Copy what is under ``name`` to ``file``; False where nothing is."""
        try:
            shutil.copyfile(self.root / checked_name(name), file)
        except FileNotFoundError:
            return False
        return True

    def entries(self, prefix: str) -> Iterator[Entry]:
        """Yield all that is there under names that begin with ``prefix``, by name."""
        for name in self.names(prefix):
            with contextlib.suppress(FileNotFoundError):  # replaced or removed meanwhile
                facts = (self.root / name).stat()
                yield Entry(name, facts.st_size, facts.st_mtime)

    def remove(self, name: str) -> None:
        """Remove what is under ``name``, if anything is."""
        (self.root / checked_name(name)).unlink(missing_ok=True)

    def _holds(self, artifact: Artifact) -> bool:
        return self.is_intact(artifact)

    def write(self, name: str, content: bytes) -> None:
        """Write ``content`` under ``name``, in place of what is there."""
        place = self.root / checked_name(name)
        place.parent.mkdir(parents=True, exist_ok=True)
        with self._written(content) as file:
            os.replace(file, place)
        _sync_folder(place.parent)

    @contextmanager
    def _written(self, content: bytes) -> Iterator[Path]:
        """Yield a file with ``content`` that is on disk, outside of all names."""
        with self.scratch() as folder:
            file = folder / "content"
            file.write_bytes(content)
            _sync(file)
            yield file

    def _place(self, digest: str) -> Path:
        return self.root / object_name(digest)


def _sync(file: Path) -> None:
    """Force a file's bytes to disk, so that a rename never exposes a torn one."""
    with file.open("rb") as opened:
        os.fsync(opened.fileno())


def _sync_folder(folder: Path) -> None:
    """Force a folder's entries to disk, so that a new name outlives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
