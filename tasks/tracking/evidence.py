"""What MLflow holds of one version, for those who verify it: nothing here writes."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from mixmatch.errors import RegistryError, ServiceError
from mixmatch.records import Record
from tasks.site import Site
from tasks.tracking.browse import find_version, list_models
from tasks.tracking.connection import connect_if_there

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

_FILE = "file://"
_ARTIFACTS = "artifacts"  # of a model folder


class VersionEvidence(Record):
    """One registered version.

    Attributes:
        name: of the registered model.
        version: its number.
        tags: of the version.
        run_id: the run that it names; None where it names none.
        aliases: that point at it.
    """

    name: str
    version: int
    tags: dict[str, str]
    run_id: str | None
    aliases: tuple[str, ...] = ()

    @property
    def reference(self) -> str:
        """``NAME/version``."""
        return f"{self.name}/{self.version}"


class RunEvidence(Record):
    """One run that still exists.

    Attributes:
        metrics: the last value of each.
        params: of the run.
        tags: of the run.
    """

    metrics: dict[str, float]
    params: dict[str, str]
    tags: dict[str, str]


def version_evidence(site: Site, reference: str) -> VersionEvidence:
    """Look up ``NAME``, ``NAME@alias`` or ``NAME/version``.

    Raises:
        RegistryError: there is no such model, alias or version; the message names those known.
    """
    client = connect_if_there(site)
    if client is None:
        raise RegistryError(
            f"The registered model {reference} must exist, but nothing is tracked in "
            f"{site.workspace} yet."
        )
    found = find_version(client, reference)
    return VersionEvidence(
        name=found.name,
        version=int(found.version),
        tags=dict(found.tags),
        run_id=found.run_id or None,
        aliases=tuple(sorted(found.aliases)),
    )


def all_versions(site: Site) -> tuple[VersionEvidence, ...]:
    """Return every version of every registered model, by name and number."""
    return tuple(x for model in list_models(site) for x in versions_named(site, model.name))


def versions_with(site: Site, digest: str) -> tuple[VersionEvidence, ...]:
    """Return the versions that were registered with a packed file of this SHA-256."""
    return tuple(x for x in all_versions(site) if x.tags.get("digest") == digest)


def versions_named(site: Site, name: str) -> tuple[VersionEvidence, ...]:
    """Return every version of one registered model, lowest first."""
    client = connect_if_there(site)
    if client is None:
        return ()
    aliases = client.get_registered_model(name).aliases.items()  # searching leaves them out
    found = [
        VersionEvidence(
            name=name,
            version=int(x.version),
            tags=dict(x.tags),
            run_id=x.run_id or None,
            aliases=tuple(sorted(a for a, held in aliases if int(held) == int(x.version))),
        )
        for x in _pages(client, name)
    ]
    return tuple(sorted(found, key=lambda x: x.version))


def run_evidence(site: Site, run_id: str | None) -> RunEvidence | None:
    """Return what a run says; None where it is deleted, gone, or was never named."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415  takes seconds

    client = connect_if_there(site)
    if client is None or not run_id:
        return None
    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None
    if run.info.lifecycle_stage == "deleted":
        return None
    return RunEvidence(
        metrics=dict(run.data.metrics), params=dict(run.data.params), tags=dict(run.data.tags)
    )


@contextmanager
def version_files(site: Site, reference: str) -> Iterator[Path | None]:
    """Yield the folder with a version's packed file and lineage, only to be read.

    None where MLflow lost its files. What lies on this machine is not copied.

    Raises:
        RegistryError: there is no such version.
    """
    client = connect_if_there(site)
    if client is None:
        raise RegistryError(f"There is no registered version {reference}.")
    version = find_version(client, reference)
    place = client.get_model_version_download_uri(version.name, version.version)
    with _fetched(client, str(place)) as folder:
        yield folder / _ARTIFACTS if folder is not None else None


@contextmanager
def run_files(site: Site, run_id: str, path: str) -> Iterator[Path | None]:
    """Yield a run's artifact, a file or a folder, only to be read; None where it is not there."""
    client = connect_if_there(site)
    if client is None:
        yield None
        return
    place = client.get_run(run_id).info.artifact_uri.rstrip("/")
    with _fetched(client, f"{place}/{path}") as found:
        yield found


def _pages(client: "MlflowClient", name: str) -> "Iterator[ModelVersion]":
    token = None
    while True:
        page = client.search_model_versions(f"name = '{name}'", page_token=token)
        yield from page
        token = page.token
        if not token:
            return


@contextmanager
def _fetched(client: "MlflowClient", place: str) -> Iterator[Path | None]:
    """Yield where the files of ``place`` lie on this machine, fetched if they lie elsewhere."""
    if place.startswith((_FILE, "/")):
        local = Path(unquote(place.removeprefix(_FILE)))
        yield local if local.exists() else None
        return
    from mlflow.artifacts import download_artifacts  # noqa: PLC0415  takes seconds
    from mlflow.exceptions import MlflowException  # noqa: PLC0415  likewise

    with tempfile.TemporaryDirectory() as scratch:
        try:
            found: Path | None = Path(
                download_artifacts(
                    artifact_uri=place, dst_path=scratch, tracking_uri=client.tracking_uri
                )
            )
        except MlflowException as error:
            if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND"):
                raise ServiceError(f"{place} must be readable: {error.message}") from error
            found = None
        except FileNotFoundError:
            found = None
        yield found
