"""Where everything of a workspace lies. One class owns all paths."""

import os
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from mixmatch.errors import WorkspaceError

DEFAULT_NAME = ".mixmatch"
HOME_VARIABLE = "MIXMATCH_HOME"


@dataclass(frozen=True, slots=True)
class Workspace:
    """The state of one installation: databases, stored files, data sets.

    Attributes:
        root: absolute folder; everything else lies below it.
    """

    root: Path

    @classmethod
    def open(cls, root: Path | None = None) -> "Workspace":
        """Return the workspace at ``root``, else at MIXMATCH_HOME, else at ``./.mixmatch``.

        Creates the folder, and checks that it can be written.

        Raises:
            WorkspaceError: the folder cannot be created or written.
        """
        chosen = root or Path(os.environ.get(HOME_VARIABLE) or DEFAULT_NAME)
        workspace = cls(chosen.expanduser().resolve())
        try:
            make_writable(workspace.root)
        except OSError as error:
            raise WorkspaceError(
                f"The workspace {workspace.root} must be a folder that can be written "
                f"({error.strerror}); choose another with {HOME_VARIABLE} or --workspace."
            ) from error
        return workspace

    @classmethod
    def of_worker(cls) -> "Workspace":
        """Return where a worker on another machine keeps its cache and unfinished trainings.

        At MIXMATCH_HOME, else in the user's cache folder; creates nothing.
        """
        caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
        chosen = Path(os.environ.get(HOME_VARIABLE) or Path(caches) / "mixmatch")
        return cls(chosen.expanduser().resolve())

    @property
    def store(self) -> Path:
        """Artifacts and records, by digest, unless the run file names another store."""
        return self.root / "store"

    @property
    def data(self) -> Path:
        """Downloaded data sets, as they came."""
        return self.root / "data"

    @property
    def checkpoints(self) -> Path:
        """Copies of base networks that lie elsewhere: in a bucket, or in MLflow."""
        return self.root / "checkpoints"

    @property
    def mlflow_database(self) -> Path:
        """SQLite file behind MLflow."""
        return self.root / "mlflow.db"

    @property
    def mlflow_artifacts(self) -> Path:
        """Files that MLflow keeps."""
        return self.root / "mlflow-artifacts"

    @property
    def prefect(self) -> Path:
        """PREFECT_HOME: database, results, and the managed server's files."""
        return self.root / "prefect"

    @property
    def lineage_events(self) -> Path:
        """Events for OpenLineage, one per line, unless the environment sends them elsewhere."""
        return self.root / "openlineage.jsonl"

    @property
    def dvc(self) -> Path:
        """The workspace's own DVC repository."""
        return self.root / "dvc"

    @property
    def dvc_remote(self) -> Path:
        """Default remote of that repository."""
        return self.root / "dvc-remote"

    @property
    def runs(self) -> Path:
        """One folder per run: report, progress, log."""
        return self.root / "runs"

    @property
    def cache(self) -> Path:
        """Files of a store in a bucket that were read here; may be removed at any time."""
        return self.root / "cache"

    @property
    def training(self) -> Path:
        """States of trainings that are under way or were interrupted, one file per job."""
        return self.root / "training"

    def training_file(self, key: str) -> Path:
        """State of the training of the job ``key``; gone once its record is committed."""
        return self.training / f"{key}.safetensors"

    @property
    def leases(self) -> Path:
        """One file per process that works on this workspace, or has died in it."""
        return self.root / "leases"

    @property
    def locks(self) -> Path:
        """Lock files."""
        return self.root / "locks"

    @property
    def logs(self) -> Path:
        """Tracebacks of failures that nobody foresaw."""
        return self.root / "logs"


def make_writable(folder: Path) -> None:
    """Create ``folder`` where it is missing, and check by writing that it can be written.

    Raises:
        OSError: it cannot.
    """
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / f".writable-{uuid4().hex}"  # processes in containers have equal numbers
    probe.write_bytes(b"")
    probe.unlink()
