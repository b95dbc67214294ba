"""Where a task finds workspace and store. Travels beside a job and is no part of its key."""

from pathlib import Path

from mixmatch.errors import WorkspaceError
from mixmatch.records import Record
from mixmatch.s3_address import is_s3
from tasks.store import Store, check_bucket, open_store
from tasks.workspace import Workspace, make_writable


class Site(Record):
    """The places that a worker must know.

    Attributes:
        workspace: absolute folder of the workspace; empty: the worker's own, on another machine.
        store: absolute folder of the artifact store, or its address ``s3://BUCKET/PREFIX``.
        progress: folder in which running jobs tell how far they are; None: they tell nobody.
    """

    workspace: str
    store: str
    progress: str | None = None

    @classmethod
    def at(cls, workspace: Workspace, store: str | None = None) -> "Site":
        """Return the site of ``workspace``; ``store`` is the run file's, null: inside it.

        A store of its own is created where it is a folder, and checked that it can be written.

        Raises:
            WorkspaceError: the store cannot be created or written.
            ServiceError: the server of a bucket does not answer.
        """
        if not store:
            return cls(workspace=str(workspace.root), store=str(workspace.store))
        if is_s3(store):
            return cls(workspace=str(workspace.root), store=check_bucket(store))
        folder = Path(store).expanduser().resolve()
        try:
            make_writable(folder)
        except OSError as error:
            raise WorkspaceError(
                f"store must be a folder that can be written, got {store!r} ({error.strerror})."
            ) from error
        return cls(workspace=str(workspace.root), store=str(folder))

    def open_workspace(self) -> Workspace:
        """Return the workspace, without creating or checking anything."""
        return Workspace(Path(self.workspace)) if self.workspace else Workspace.of_worker()

    @property
    def is_store_shared(self) -> bool:
        """Say whether the store lies elsewhere than in the workspace, so that others may use it."""
        return self.store != str(self.open_workspace().store)

    def elsewhere(self) -> "Site":
        """Return what a worker on another machine is told: the store, and none of our paths."""
        return Site(workspace="", store=self.store)

    def open_store(self) -> Store:
        """Return the artifact store."""
        return open_store(self.store, self.open_workspace().cache)
