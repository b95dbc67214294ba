"""What lies under DVC and which of it nobody needs: pointers, listings, files; cache and remote."""

import datetime
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Literal

from mixmatch.errors import ArtifactError, ServiceError
from mixmatch.records import Record
from tasks.site import Site
from tasks.versioning.listing import read_listing
from tasks.versioning.names import HISTORY
from tasks.versioning.pointers import Pointer, read_pointer
from tasks.versioning.remote import hashed_place, open_remote
from tasks.versioning.repository import writing
from tasks.workspace import Workspace

_HASHES = ("files", "md5")  # of DVC 3, in caches and remotes


class DvcThing(Record):
    """Something under DVC that may go.

    Attributes:
        place: ``current`` (pointer and folder), ``pointer``, ``cache`` or ``remote``.
        name: path of the pointer in the repository, or the object's hash.
        bytes: its length on disk.
    """

    place: Literal["current", "pointer", "cache", "remote"]
    name: str
    bytes: int


class Dvc:
    """The DVC repository of a workspace, as retention sees it."""

    def __init__(self, site: Site) -> None:
        """Look where it is; creates nothing."""
        self._workspace: Workspace = site.open_workspace()
        self._hidden = self._workspace.dvc / ".dvc"
        self.is_there = (self._hidden / "config").is_file()

    def owns_remote(self) -> bool:
        """Say whether the remote is the workspace's own folder."""
        _, root = open_remote(str(self._hidden))
        return Path(root) == self._workspace.dvc_remote

    def listing(self, md5: str) -> dict[str, str]:
        """Return MD5 by path inside one version of a folder, from cache or remote.

        Raises:
            ArtifactError: neither holds it, or it might lead elsewhere.
        """
        for fs, root in self._places(remote=True):
            place = hashed_place(fs, root, md5)
            if fs.exists(place):
                with fs.open(place, "rb") as file:
                    return read_listing(file.read())
        raise ArtifactError(f"DVC must hold the listing {md5}, and neither cache nor remote does.")

    def unneeded(self, kept: Collection[str], cutoff: float, *, remote: bool) -> Iterator[DvcThing]:
        """Yield what no kept version needs and what was last written before ``cutoff``.

        In the order in which it may go: pointers, listings, files.

        Args:
            kept: hashes of the versions of folders that stay.
            cutoff: seconds since 1970.
            remote: whether to look into the remote too.
        """
        needed = set(kept)
        for md5 in kept:
            needed |= set(self.listing(md5).values())
        yield from self._pointers(kept, cutoff)
        for place, (fs, root) in zip(("cache", "remote"), self._places(remote), strict=False):
            found = sorted(_objects(fs, root), key=lambda x: (not x[0].endswith(".dir"), x[0]))
            for name, size, modified in found:
                if name not in needed and modified < cutoff:
                    yield DvcThing.model_validate({"place": place, "name": name, "bytes": size})

    def remove(self, things: Collection[DvcThing]) -> None:
        """Remove what ``unneeded`` has named, in that order, as the only writer.

        Raises:
            ServiceError: DVC's remote refuses, or another writer holds the repository.
        """
        with writing(self._workspace):
            for thing in things:
                self._remove(thing)
            # DVC believes here that the remote still has what it once sent.
            shutil.rmtree(self._hidden / "site", ignore_errors=True)

    def _remove(self, thing: DvcThing) -> None:
        if thing.place in ("current", "pointer"):
            file = self._workspace.dvc / thing.name
            file.unlink(missing_ok=True)
            if thing.place == "current":
                shutil.rmtree(file.with_suffix(""), ignore_errors=True)
            elif not any(file.parent.iterdir()):
                file.parent.rmdir()
            return
        fs, root = list(self._places(remote=True))[thing.place == "remote"]
        place = fs.join(root, *_HASHES, thing.name[:2], thing.name[2:])
        if fs.exists(place):
            fs.remove(place)

    def _pointers(self, kept: Collection[str], cutoff: float) -> Iterator[DvcThing]:
        root = self._workspace.dvc
        for file in sorted([*root.glob("*.dvc"), *(root / HISTORY).glob("*/*.dvc")]):
            if file.is_dir() or file.stat().st_mtime >= cutoff or _md5_of(file) in kept:
                continue
            is_current = file.parent == root
            folder = file.with_suffix("")
            files = folder.rglob("*") if is_current and folder.is_dir() else ()
            yield DvcThing(
                place="current" if is_current else "pointer",
                name=file.relative_to(root).as_posix(),
                bytes=sum(x.stat().st_size for x in files if x.is_file() and x.stat().st_nlink < 2),
            )

    def _places(self, remote: bool) -> Iterator[tuple[Any, str]]:
        """Yield file system and root of the cache, then of the remote."""
        from dvc.fs import LocalFileSystem  # noqa: PLC0415  DVC takes seconds to import

        yield LocalFileSystem(), str(self._hidden / "cache")
        if remote:
            yield open_remote(str(self._hidden))


def _md5_of(file: Path) -> str:
    pointer: Pointer = read_pointer(file)
    return pointer.md5


def _objects(fs: Any, root: str) -> Iterator[tuple[str, int, float]]:  # noqa: ANN401  DVC's, untyped
    """Yield hash, size and time of everything that a cache or remote holds."""
    top = fs.join(root, *_HASHES)
    if not fs.exists(top):
        return
    for path in fs.find(top):
        try:
            facts = fs.info(path)
        except FileNotFoundError:  # removed meanwhile
            continue
        parts = path.replace("\\", "/").split("/")
        yield parts[-2] + parts[-1], int(facts["size"]), _modified(facts)


def _modified(facts: dict[str, Any]) -> float:
    """Return when an object was written; of a file system that does not say, just now."""
    found = facts.get("mtime") or facts.get("LastModified") or facts.get("last_modified")
    if isinstance(found, datetime.datetime):
        return found.timestamp()
    if isinstance(found, int | float):
        return float(found)
    raise ServiceError("DVC's remote must say when its files were written, and it does not.")
