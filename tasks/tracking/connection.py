"""The one door to MLflow: where its records are, that its database is whole, and who may write.

MLflow is imported inside functions: it takes seconds, and its telemetry has to be off before.
"""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from mixmatch.addresses import shown
from mixmatch.errors import ServiceError, WorkspaceError
from tasks.site import Site

if TYPE_CHECKING:
    from mlflow import MlflowClient

URI_VARIABLE = "MLFLOW_TRACKING_URI"
_REGISTRY_VARIABLE = "MLFLOW_REGISTRY_URI"

# MLflow reads DO_NOT_TRACK only as the word "true", so its own switch is set as well.
_ALWAYS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
}
_UNLESS_SET = {
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
_SQLITE = "sqlite:///"
_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


def tracking_uri(site: Site) -> str:
    """Return MLFLOW_TRACKING_URI where it is set, else that of the workspace's SQLite file."""
    return os.environ.get(URI_VARIABLE) or f"{_SQLITE}{site.open_workspace().mlflow_database}"


def registry_uri(site: Site) -> str:
    """Return MLFLOW_REGISTRY_URI where it is set, else the tracking URI."""
    return os.environ.get(_REGISTRY_VARIABLE) or tracking_uri(site)


def database_left_aside(site: Site) -> Path | None:
    """Return the workspace's own database if there is one and another MLflow is asked."""
    own = site.open_workspace().mlflow_database
    asked = _sqlite_file(tracking_uri(site))
    is_asked = asked is not None and asked.resolve() == own.resolve()
    return own if own.is_file() and not is_asked else None


def prepare_tracking(site: Site) -> str:
    """Create MLflow's SQLite database if there is none, and return the tracking URI.

    The database is migrated aside, under a lock, and appears under its name complete or not at all:
    several processes that migrate one file at the same time break it. Takes seconds the first time.
    """
    uri = tracking_uri(site)
    database = _sqlite_file(uri)
    if database is not None and not _is_there(database):
        with locked(site, "mlflow-migration"):
            if not _is_there(database):
                _create_database(database, site.open_workspace().mlflow_artifacts)
    return uri


def connect(site: Site) -> "MlflowClient":
    """Return a client of the tracking store and registry; creates the database if there is none.

    Raises:
        WorkspaceError: the database has the schema of another MLflow version.
        ServiceError: the server refuses the credentials, or they stand in its address.
    """
    return _client(prepare_tracking(site))


def connect_if_there(site: Site) -> "MlflowClient | None":
    """Return a client, or None where nothing was ever tracked; creates nothing.

    Raises:
        WorkspaceError: the database has the schema of another MLflow version.
    """
    uri = tracking_uri(site)
    database = _sqlite_file(uri)
    if database is not None and not _is_there(database):
        return None
    return _client(uri)


def ensure_experiment(client: "MlflowClient", site: Site, name: str) -> str:
    """Return the identifier of experiment ``name``; call it under a lock.

    A new one keeps its files below the workspace, unless a tracking server says where. One that
    was deleted is restored: its runs are needed to recognize what is already done.
    """
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        place = site.open_workspace().mlflow_artifacts / name
        location = None if _is_server(client.tracking_uri) else place.as_uri()
        return str(client.create_experiment(name, artifact_location=location))
    if experiment.lifecycle_stage == "deleted":
        client.restore_experiment(experiment.experiment_id)
    return str(experiment.experiment_id)


def is_shared(site: Site) -> bool:
    """Say whether other machines may track in the same place."""
    return _sqlite_file(tracking_uri(site)) is None


@contextmanager
def locked(site: Site, name: str) -> Iterator[None]:
    """Hold the workspace's lock ``name``; the system frees it when its holder dies."""
    folder = site.open_workspace().locks
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f"{name}.lock"):
        yield


def silence() -> None:
    """Switch MLflow's telemetry, pickle loading and chatter off; call it before the import."""
    os.environ.update(_ALWAYS)
    for name, value in _UNLESS_SET.items():
        os.environ.setdefault(name, value)


def _client(uri: str) -> "MlflowClient":
    if _is_server(uri) and (without := shown(uri)) != uri:
        raise ServiceError(
            f"{URI_VARIABLE} must hold no credentials, which MLFLOW_TRACKING_USERNAME and "
            f"MLFLOW_TRACKING_PASSWORD take, got {without!r}."
        )
    silence()
    from mlflow import MlflowClient  # noqa: PLC0415  takes seconds
    from mlflow.exceptions import MlflowException  # noqa: PLC0415  takes seconds

    registry = os.environ.get(_REGISTRY_VARIABLE) or uri  # else a process-wide one would win
    try:
        client = MlflowClient(tracking_uri=uri, registry_uri=registry)
        if _is_server(uri):
            client.search_experiments(max_results=1)  # with which it says whether it knows us
        return client
    except MlflowException as error:
        if error.get_http_status_code() in _REFUSED:  # type: ignore[no-untyped-call]  # as all of it
            raise ServiceError(
                f"MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD must be an account of the "
                f"MLflow server at {shown(uri)}, {_what_is_wrong()}."
            ) from error
        if "out-of-date database schema" not in str(error):
            raise
        raise WorkspaceError(
            f"The database {shown(uri)} must have the schema of the installed MLflow, and has "
            f"another; make a copy of it, then run: mlflow db upgrade {shown(uri)}"
        ) from error


def _what_is_wrong() -> str:
    is_set = os.environ.get("MLFLOW_TRACKING_USERNAME") and os.environ.get(
        "MLFLOW_TRACKING_PASSWORD"
    )
    return "which refuses what is set" if is_set else "and are not set"


def _create_database(database: Path, artifacts: Path) -> None:
    silence()
    from mlflow.store.tracking.sqlalchemy_store import (  # noqa: PLC0415  takes seconds
        SqlAlchemyStore,
    )

    database.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=database.parent, prefix=".mlflow-") as folder:
        unfinished = Path(folder) / database.name
        store = SqlAlchemyStore(  # type: ignore[no-untyped-call]  # MLflow's stores are untyped
            f"{_SQLITE}{unfinished}", artifacts.as_uri()
        )
        store.engine.dispose()
        with closing(sqlite3.connect(unfinished)) as connection:
            # Stays with the file: one flush to disk per write, not four, and readers need not wait.
            connection.execute("PRAGMA journal_mode=WAL")
        os.replace(unfinished, database)


def _is_there(database: Path) -> bool:
    return database.is_file() and database.stat().st_size > 0


def _sqlite_file(uri: str) -> Path | None:
    return Path(uri.removeprefix(_SQLITE)) if uri.startswith(_SQLITE) else None


def _is_server(uri: str) -> bool:
    return uri.startswith(("http://", "https://"))
