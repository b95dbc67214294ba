"""Removes versions, logged models and runs from MLflow, with their files.

Rows of runs and models go for good where MLflow's database is spoken to directly. A tracking server
has no call for that: there they end as deleted, their files are gone all the same, and
``mlflow gc`` on the server removes the rows.
"""

from typing import TYPE_CHECKING

from mixmatch.errors import ServiceError
from tasks.site import Site
from tasks.tracking.connection import connect

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.store.artifact.artifact_repo import ArtifactRepository

_GONE = "RESOURCE_DOES_NOT_EXIST"


class Remover:
    """Removes things from the MLflow of one site; what is gone already is passed over."""

    def __init__(self, site: Site) -> None:
        """Connect."""
        self._client: MlflowClient = connect(site)

    def removes_rows(self) -> bool:
        """Say whether rows of runs and models go for good."""
        return not self._client.tracking_uri.startswith(("http://", "https://"))

    def bytes_of_run(self, run_id: str) -> int:
        """Return what the artifacts of a run come to on disk."""
        return _size(self._repository(self._client.get_run(run_id).info.artifact_uri))

    def bytes_of_model(self, model_id: str) -> int:
        """Return what the files of a logged model come to on disk."""
        return _size(self._repository(self._client.get_logged_model(model_id).artifact_location))

    def version(self, name: str, version: int) -> None:
        """Remove a registered version; its number is never given again.

        MLflow would remove aliases that point at it, too: look for them just before.
        """
        from mlflow.exceptions import MlflowException  # noqa: PLC0415  takes seconds

        try:
            self._client.delete_model_version(name, str(version))
        except MlflowException as error:
            if error.error_code != _GONE:
                raise ServiceError(
                    f"MLflow must remove version {version} of {name}: {_line(error)}"
                ) from error

    def model(self, model_id: str) -> None:
        """Remove a logged model: its files, then its row, by which they are found."""
        from mlflow.exceptions import MlflowException  # noqa: PLC0415  takes seconds

        try:
            place = self._client.get_logged_model(model_id).artifact_location
            _empty(self._repository(place))
            if self.removes_rows():
                self._store._hard_delete_logged_model(model_id)  # type: ignore[attr-defined]
            else:
                self._client.delete_logged_model(model_id)
        except MlflowException as error:
            if error.error_code != _GONE:
                raise ServiceError(
                    f"MLflow must remove the model {model_id}: {_line(error)}"
                ) from error

    def run(self, run_id: str) -> None:
        """Remove a run: its artifacts, then its row, by which they are found."""
        from mlflow.exceptions import MlflowException  # noqa: PLC0415  takes seconds

        try:
            run = self._client.get_run(run_id)
            _empty(self._repository(run.info.artifact_uri))
            if self.removes_rows():
                self._store._hard_delete_run(run_id)  # type: ignore[attr-defined]
            elif run.info.lifecycle_stage != "deleted":
                self._client.delete_run(run_id)
        except MlflowException as error:
            if error.error_code != _GONE:
                raise ServiceError(
                    f"MLflow must remove the run {run_id}: {_line(error)}"
                ) from error

    @property
    def _store(self) -> object:
        """MLflow's own way to its database: what ``mlflow gc`` uses."""
        from mlflow.tracking._tracking_service.utils import _get_store  # noqa: PLC0415  slow

        store: object = _get_store(self._client.tracking_uri)  # type: ignore[no-untyped-call]
        return store

    def _repository(self, place: str) -> "ArtifactRepository":
        from mlflow.store.artifact.artifact_repository_registry import (  # noqa: PLC0415  slow
            get_artifact_repository,
        )

        return get_artifact_repository(place, tracking_uri=self._client.tracking_uri)


def _empty(repository: "ArtifactRepository") -> None:
    repository.delete_artifacts()  # type: ignore[no-untyped-call]


def _size(repository: "ArtifactRepository") -> int:
    """Add up all files below; nothing where there is no folder yet."""
    total, folders = 0, [""]
    while folders:
        for file in repository.list_artifacts(folders.pop() or None):
            if file.is_dir:
                folders.append(file.path)
            else:
                total += file.file_size or 0
    return total


def _line(error: Exception) -> str:
    return str(error).splitlines()[0]
