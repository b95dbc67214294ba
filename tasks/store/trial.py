"""Whether a store can do what runs ask of it, found out by trying."""

from collections.abc import Iterator
from uuid import uuid4

from mixmatch.errors import ArtifactError, ServiceError, StorageError, WorkspaceError
from tasks.store.store import Store

PROBE = "doctor/probe"  # stays there, 32 bytes; each trial replaces it

_FAILURES = (ArtifactError, ServiceError, StorageError, WorkspaceError, OSError)


def try_store(store: Store) -> Iterator[tuple[str, str | None]]:
    """Yield what was tried, one of ``write``, ``read`` and ``once``, and what went wrong, or None.

    Ends after the first that goes wrong.
    """
    content = uuid4().hex.encode()
    for name, trial in (("write", _write), ("read", _read), ("once", _create)):
        try:
            problem = trial(store, content)
        except _FAILURES as error:
            problem = str(error).rstrip(".")
        yield name, problem
        if problem:
            return


def _write(store: Store, content: bytes) -> None:
    store.write(PROBE, content)


def _read(store: Store, content: bytes) -> str | None:
    return None if store.read(PROBE) == content else "it returned other bytes than were written"


def _create(store: Store, content: bytes) -> str | None:
    created = store.create(PROBE, content[::-1])
    if created or store.read(PROBE) != content:
        return "what must be created only once was overwritten"
    return None
