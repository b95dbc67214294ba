"""Where a task finds workspace and store. Travels beside a job and is no part of its key."""

from pathlib import Path

from mixmatch.errors import WorkspaceError
from mixmatch.records import Record
from tasks.store import FolderStore, Store
from tasks.workspace import Workspace, make_writable


class Site(Record):
    """The places that a worker must know.

    Attributes:
        workspace: absolute folder of the workspace.
        store: absolute folder of the artifact store.
        progress: folder in which running jobs tell how far they are; None: they tell nobody.
    """

    workspace: str
    store: str
    progress: str | None = None

    @classmethod
    def at(cls, workspace: Workspace, store: str | None = None) -> "Site":
        """Return the site of ``workspace``; ``store`` is the run file's, null: inside it.

        A store of its own is created, and checked that it can be written.

        Raises:
            WorkspaceError: the store cannot be created or written.
        """
        if not store:
            return cls(workspace=str(workspace.root), store=str(workspace.store))
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
        return Workspace(Path(self.workspace))

    def open_store(self) -> Store:
        """Return the artifact store."""
        return FolderStore(Path(self.store))
