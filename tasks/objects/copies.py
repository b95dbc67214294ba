"""Local copies of objects that a run file names: an archive, weights, a tree of images.

A copy lies in a folder that is named after the objects' versions, and beside it a list of the files
that are complete, by digest: what a killed process has finished is verified and kept, and a copy
that somebody changed is fetched again. What changed in the bucket becomes another folder.
"""

import json
import os
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from threading import Lock

from filelock import FileLock

from mixmatch.digests import file_digest, json_digest
from mixmatch.errors import StorageError, WorkspaceError
from mixmatch.s3_address import S3Address
from tasks.objects.bucket import Bucket, Facts

_THREADS = 8  # small files take longer to ask for than to send
_UNFINISHED = ".part"


def local_copy(place: S3Address, folder: Path) -> Path | None:
    """Return a local copy of an object, or of the tree of all objects below a prefix.

    The copy is complete and as the bucket states it now; it must not be written.

    Args:
        place: the object, or the prefix.
        folder: of the workspace; holds the copies.

    Returns:
        A file or a folder; None where the bucket has neither.

    Raises:
        StorageError: the bucket refuses, or a key cannot be a path.
        ServiceError: the server does not answer.
        ArtifactError: an object is damaged, or changes while it is read.
        WorkspaceError: there is no room for it.
    """
    bucket = Bucket(place.bucket)
    only = bucket.facts(place.key) if place.key else None
    found = _tree(bucket, place) if only is None else {PurePosixPath(place.key).name: only}
    if not found:
        return None
    version = json_digest({name: [x.etag, x.size_bytes] for name, x in found.items()})[:16]
    copy = folder / sha256(str(place).encode()).hexdigest()[:16] / version
    copy.mkdir(parents=True, exist_ok=True)
    with FileLock(copy.with_suffix(".lock")):
        _complete(bucket, found, copy)
    return copy if only is None else copy / next(iter(found))


def _tree(bucket: Bucket, place: S3Address) -> Mapping[str, Facts]:
    """Return the objects below a prefix by the path that each gets; folder markers get none."""
    prefix = f"{place.key}/" if place.key else ""
    found = {}
    for facts in bucket.below(prefix):
        if facts.key.endswith("/"):
            continue
        name = facts.key.removeprefix(prefix)
        if {"", ".", ".."} & set(name.split("/")) or "\\" in name or not name.isprintable():
            raise StorageError(
                f"Every key below {place} must be a path of plain parts, got {facts.key!r}."
            )
        found[name] = facts
    folders = {str(x) for name in found for x in PurePosixPath(name).parents}
    if both := sorted(folders & set(found)):
        raise StorageError(f"No key below {place} must be a file and a folder, got {both[0]!r}.")
    return found


def _complete(bucket: Bucket, found: Mapping[str, Facts], copy: Path) -> None:
    """Fetch whatever is missing or is not what it was when it was complete."""
    finished = _Finished.read(copy.with_suffix(".jsonl"))
    with ThreadPoolExecutor(_THREADS) as threads:
        sound = list(threads.map(lambda name: finished.confirms(name, copy / name), found))
        missing = [x for x, is_sound in zip(found.items(), sound, strict=True) if not is_sound]
        _refuse_excess(sum(facts.size_bytes for _, facts in missing), copy)

        def fetch(item: tuple[str, Facts]) -> None:
            name, facts = item
            finished.add(name, _fetch(bucket, facts, copy / name))

        list(threads.map(fetch, missing))


def _fetch(bucket: Bucket, facts: Facts, file: Path) -> str:
    """Download one object; the file appears complete or not at all. Return its SHA-256."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}{_UNFINISHED}")
    try:
        digest = bucket.download(facts.key, part, etag=facts.etag)
        if digest is None:
            raise StorageError(f"s3://{bucket.name}/{facts.key} was removed while it was read.")
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)
    return digest


def _refuse_excess(size_bytes: int, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if size_bytes > free:
        raise WorkspaceError(
            f"The workspace must have room for {size_bytes:,} bytes from the bucket at {folder}, "
            f"it has {free:,}."
        )


@dataclass(frozen=True, slots=True)
class _Finished:
    """The files that were complete, one line of JSON each, of which the last may be torn."""

    file: Path
    digests: Mapping[str, str]
    lock: Lock

    @classmethod
    def read(cls, file: Path) -> "_Finished":
        digests = {}
        for line in file.read_bytes().splitlines() if file.is_file() else ():
            try:
                name, digest = json.loads(line)
            except ValueError:
                continue
            digests[name] = digest
        return cls(file, digests, Lock())

    def confirms(self, name: str, file: Path) -> bool:
        return name in self.digests and file.is_file() and file_digest(file) == self.digests[name]

    def add(self, name: str, digest: str) -> None:
        # A line of its own even after a torn one.
        with self.lock, self.file.open("ab") as opened:
            opened.write(b"\n" + json.dumps([name, digest]).encode() + b"\n")
