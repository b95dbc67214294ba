"""A store in a bucket, with a folder before it in which files lie once they were read."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from mixmatch.digests import file_digest
from mixmatch.errors import ArtifactError, StorageError
from mixmatch.records import Artifact
from mixmatch.s3_address import S3Address
from tasks.objects import Bucket
from tasks.store.folder import FolderStore
from tasks.store.names import (
    checked_digest,
    checked_name,
    checked_prefix,
    is_digest,
    object_name,
)
from tasks.store.store import Entry, Store

_MARKER, _MARK = "store.json", b'{"store": 1}'


@dataclass(frozen=True, slots=True)
class BucketStore(Store):
    """Files and records below one prefix of a bucket.

    Attributes:
        bucket: where they are.
        prefix: of all keys, without a slash at either end; empty: the whole bucket.
        cache: files that were put or read here. It may be removed at any time.
    """

    bucket: Bucket
    prefix: str
    cache: FolderStore

    @property
    def address(self) -> str:
        """The address of bucket and prefix."""
        return str(S3Address(self.bucket.name, self.prefix))

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Yield a local folder whose content is removed at the end."""
        with self.cache.scratch() as folder:
            yield folder

    def put(self, file: Path) -> Artifact:
        """Upload ``file``, which lies in a scratch folder, unless it is there; keep it here too.

        Raises:
            ServiceError: the server does not answer.
            StorageError: it refuses.
            ArtifactError: it holds something else afterwards.
        """
        artifact = Artifact(digest=file_digest(file), size_bytes=file.stat().st_size)
        if not self._holds(artifact):
            self._send(file, artifact)
        return self.cache.put(file)

    def path(self, artifact: Artifact) -> Path:
        """Return the local copy of ``artifact``; downloads it if there is none that is intact.

        What the bucket holds under this digest and is not what it says, is removed there, so that
        the next run computes it anew.

        Raises:
            ArtifactError: it is missing, or is not what its digest says.
            ServiceError: the server does not answer.
            StorageError: it refuses.
        """
        place = self._local(artifact.digest)
        size = None if place is None else place.stat().st_size
        if place is None or size != artifact.size_bytes:
            found = "nothing" if size is None else f"{size} bytes"
            raise ArtifactError(
                f"The store {self.address} must hold {artifact.digest} with "
                f"{artifact.size_bytes} bytes, found {found}; run again to compute it anew."
            )
        return place

    def is_intact(self, artifact: Artifact) -> bool:
        """Say whether the bucket's bytes have the digest; downloads them all."""
        with self.scratch() as folder:
            try:
                found = self.bucket.download(self._key_of(artifact.digest), folder / "object")
            except ArtifactError:
                return False
        return found == artifact.digest

    def find_file(self, digest: str) -> Path | None:
        """Return the local copy of the file with this digest, downloaded if there is none.

        None where the bucket has none, or held something else under this digest.
        """
        try:
            return self._local(digest)
        except ArtifactError:
            return None

    def create(self, name: str, content: bytes) -> bool:
        """Write ``content`` under ``name`` unless something is there; True: written now.

        Raises:
            ValueError: ``name`` leads outside the store.
            ServiceError: the server does not answer.
            StorageError: it refuses.
        """
        return self.bucket.create(self._key(checked_name(name)), content)

    def read(self, name: str) -> bytes | None:
        """Return what is written under ``name``; None where nothing is."""
        return self.bucket.read(self._key(checked_name(name)))

    def names(self, prefix: str) -> tuple[str, ...]:
        """Return all names that begin with ``prefix``, sorted."""
        start = len(self._key(""))
        found = self.bucket.below(self._key(checked_prefix(prefix)))
        return tuple(sorted(x.key[start:] for x in found))

    def keep(self, name: str, file: Path) -> None:
        """Upload ``file`` under ``name``, in place of what is there."""
        self.bucket.write_from(file, self._key(checked_name(name)), file_digest(file))

    def fetch(self, name: str, file: Path) -> bool:
        """Download what is under ``name`` to ``file``; False where nothing is."""
        return self.bucket.download(self._key(checked_name(name)), file) is not None

    def entries(self, prefix: str) -> Iterator[Entry]:
        """Yield all that is there under names that begin with ``prefix``, by name."""
        start = len(self._key(""))
        for found in self.bucket.below(self._key(checked_prefix(prefix))):
            yield Entry(found.key[start:], found.size_bytes, found.modified)

    def remove(self, name: str) -> None:
        """Remove what is under ``name``, if anything is, and its local copy."""
        self.bucket.delete(self._key(checked_name(name)))
        self.cache.remove(name)

    def _holds(self, artifact: Artifact) -> bool:
        """Ask for size and stated digest; the bytes are compared whenever they are read."""
        if not is_digest(artifact.digest):
            return False
        facts = self.bucket.facts(self._key_of(artifact.digest))
        wanted = (artifact.size_bytes, artifact.digest)
        return facts is not None and (facts.size_bytes, facts.sha256) == wanted

    def write(self, name: str, content: bytes) -> None:
        """Write ``content`` under ``name``, in place of what is there."""
        self.bucket.write(self._key(checked_name(name)), content)

    def _send(self, file: Path, artifact: Artifact) -> None:
        key = self._key_of(artifact.digest)
        self.bucket.create_from(file, key, artifact.digest)
        if self._holds(artifact):  # whoever was first
            return
        self.bucket.write_from(file, key, artifact.digest)
        if not self._holds(artifact):
            raise ArtifactError(
                f"The store {self.address} must hold {artifact.digest} with {artifact.size_bytes} "
                "bytes after it was sent there, but it does not say so."
            )

    def _local(self, digest: str) -> Path | None:
        """Return the intact local copy, downloaded if there is none; None: the bucket has none."""
        if found := self.cache.find_file(digest):
            return found
        # Jobs that begin at once on one machine read the same files: one of them downloads.
        with self._lock(digest), self.scratch() as folder:
            if found := self.cache.find_file(digest):
                return found
            file = folder / "object"
            if not self._arrives(digest, file):
                return None
            return self.cache.path(self.cache.put(file))

    def _arrives(self, digest: str, file: Path) -> bool:
        """Download a file to ``file``; False where the bucket has none."""
        key = self._key_of(digest)
        try:
            found = self.bucket.download(key, file)
            if found is not None and found != digest:
                raise ArtifactError(f"It holds bytes with SHA-256 {found}.")
        except ArtifactError as error:
            self.bucket.delete(key)
            raise ArtifactError(
                f"The store {self.address} must hold under {key} what has this digest. {error} "
                "It was removed; run again to compute it anew."
            ) from error
        return found is not None

    @contextmanager
    def _lock(self, digest: str) -> Iterator[None]:
        folder = self.cache.root / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / checked_digest(digest)):
            yield

    def _key_of(self, digest: str) -> str:
        return self._key(object_name(digest))

    def _key(self, name: str) -> str:
        return _joined(self.prefix, name)


def check(bucket: Bucket, prefix: str) -> None:
    """Find out, by writing one small object the first time, whether a bucket can be a store.

    Raises:
        StorageError: the bucket is missing, refuses, or overwrites what is to be created once.
        ServiceError: the server does not answer.
    """
    key = _joined(prefix, _MARKER)
    if bucket.create(key, _MARK) and bucket.create(key, _MARK):
        raise StorageError(
            "Its server must honour If-None-Match: * when an object is written, and this one "
            "overwrites."
        )


def _joined(prefix: str, name: str) -> str:
    return f"{prefix}/{name}" if prefix else name
