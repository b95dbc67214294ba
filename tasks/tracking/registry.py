"""The model registry: one version per network on a front, and the two aliases of a run."""

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from mixmatch.records import BaseRecord, LatencyRecord, ModelSpec, Result
from tasks.site import Site
from tasks.tracking.connection import connect, connect_if_there, locked
from tasks.tracking.deployment import (
    INT8_DIGEST_TAG,
    deployment_tags,
    drop_tags,
    log_int8,
)
from tasks.tracking.model_folder import write_model_folder
from tasks.tracking.repeatable import find_run
from tasks.tracking.results import result_metrics

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Run
    from mlflow.entities.model_registry import ModelVersion

    from tasks.lineage import Documents, Tracked

MOST_ACCURATE = "most-accurate"
SMALLEST = "smallest"

# Writes the lineage of a result that is about to get a version.
Document: TypeAlias = "Callable[[Result, Tracked], Documents]"


def register_front(
    site: Site,
    run_id: str,
    *,
    registered_name: str,
    spec: ModelSpec,
    results: Sequence[Result],
    extra_tags: Mapping[str, str],
    latency: LatencyRecord | None = None,
    document: "Document | None" = None,
    base: BaseRecord | None = None,
) -> dict[str, int]:
    """Register every result on a front once, and point the aliases at the best of them.

    A packed file that has a version already, by its digest, keeps that version; what is new about
    its int8 file and latency is added. ``most-accurate`` is the fronts' highest validation accuracy
    (ties: the sparser), ``smallest`` their fewest bytes (ties: the more accurate).

    Args:
        site: where the registry is.
        run_id: the parent run; the versions point at its children.
        registered_name: of the model.
        spec: of the networks.
        results: members of one family; those off both fronts are passed over.
        extra_tags: set on new versions, for example the digests of data set and base.
        latency: what was measured; None: nothing.
        document: writes what a new version carries beside its packed file; None: nothing. A version
            that is there keeps what it has.
        base: the network they come from, for what each has lost; None: versions do not say it.

    Returns:
        The version of each result on a front, by the result's key.
    """
    front = [result for result in results if result.on_front or result.on_size_front]
    if not front:
        return {}
    client = connect(site)
    with locked(site, "mlflow-registry"):
        _ensure_registered(client, registered_name)
        versions: dict[str, int] = {}
        for result in front:
            lost = {} if base is None else drop_tags(result, base)
            deployed = {**deployment_tags(result, latency), **lost}
            found = _version_of(client, registered_name, result)
            if found is None:
                tags = {**version_tags(result), **extra_tags}
                place = _Place(site, registered_name, _source_run(client, run_id, result))
                documents = _documents(document, place, run_id, result, tags)
                tags = {**tags, **deployed, **documents.tags}
                versions[result.key] = _register(
                    client, place, spec, result, tags=tags, beside=documents.files
                )
            else:
                _update(client, site, found, result, deployed)
                versions[result.key] = int(found.version)
        _point_aliases(client, registered_name, front, versions)
    return versions


def standing_versions(
    site: Site,
    registered_name: str,
    results: Sequence[Result],
    latency: LatencyRecord | None = None,
) -> dict[str, int] | None:
    """Return what ``register_front`` would, or None if it would still have something to write.

    Writes nothing.

    Args:
        site: where the registry is.
        registered_name: of the model.
        results: those on a front.
        latency: what was measured; None: nothing.
    """
    client = connect_if_there(site)
    if client is None:
        return None
    versions: dict[str, int] = {}
    for result in results:
        found = _version_of(client, registered_name, result)
        if found is None or not deployment_tags(result, latency).items() <= found.tags.items():
            return None
        versions[result.key] = int(found.version)
    now = client.get_registered_model(registered_name).aliases
    pointed = {alias: int(version) for alias, version in now.items()}
    return versions if _aliases(results, versions).items() <= pointed.items() else None


def version_tags(result: Result) -> dict[str, str]:
    """Return what a registered version says about its network; fractions, bytes on disk."""
    member = result.member
    return {
        "strategy": result.strategy,
        "also": json.dumps(result.also),
        "criterion": result.criterion,
        "seed": str(result.seed),
        "sparsity": str(member.sparsity),
        "accuracy": str(member.test.value),
        "validation_accuracy": str(member.validation.value),
        "bytes": str(member.artifact.size_bytes),
        "digest": member.artifact.digest,
        "mask_digest": member.mask_digest,
        "key": result.key,
    }


def _ensure_registered(client: "MlflowClient", name: str) -> None:
    from mlflow.exceptions import MlflowException  # noqa: PLC0415  takes seconds

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _version_of(client: "MlflowClient", name: str, result: Result) -> "ModelVersion | None":
    wanted = f"name = '{name}' and tags.digest = '{result.member.artifact.digest}'"
    found = client.search_model_versions(wanted, order_by=["version_number ASC"])
    return found[0] if found else None


def _source_run(client: "MlflowClient", run_id: str, result: Result) -> "Run":
    """Return the child run of a result where there is one, else its parent."""
    parent = client.get_run(run_id)
    return find_run(client, parent.info.experiment_id, result.key, parent=run_id) or parent


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a new version goes, and the run it points at."""

    site: Site
    name: str
    run: "Run"


def _documents(
    document: "Document | None", place: _Place, run_id: str, result: Result, tags: Mapping[str, str]
) -> "Documents":
    """Write what lies beside the packed file; its tags are those that later runs never change."""
    from tasks.lineage import Documents, Tracked  # noqa: PLC0415  torch takes seconds

    if document is None:
        return Documents()
    tracked = Tracked(
        name=place.name,
        run_id=run_id,
        child_id=str(place.run.info.run_id),
        figures=result_metrics(result),
        tags=tags,
    )
    return document(result, tracked)


def _register(
    client: "MlflowClient",
    place: _Place,
    spec: ModelSpec,
    result: Result,
    *,
    tags: Mapping[str, str],
    beside: Mapping[str, bytes],
) -> int:
    """Log the model and its int8 file, and create its version."""
    source_run = place.run.info.run_id
    model = _logged_model(client, place, result, tags)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        packed = place.site.open_store().path(result.member.artifact)
        write_model_folder(folder, packed, spec, model.model_id, beside)
        client.log_model_artifacts(model.model_id, str(folder))
    client.finalize_logged_model(model.model_id, "READY")
    log_int8(client, place.site, source_run, result)
    # The plain location, not models:/m-ID: MLflow looks that up at its process-wide address.
    version = client.create_model_version(
        place.name,
        model.artifact_location,
        run_id=source_run,
        tags={**tags, "model_id": model.model_id},
        model_id=model.model_id,  # a server that keeps the files itself asks whose they are
    )
    return int(version.version)


def _logged_model(
    client: "MlflowClient", place: _Place, result: Result, tags: Mapping[str, str]
) -> "LoggedModel":
    """Find the model that an interrupted call has logged for this result, or create it."""
    experiment, source_run = place.run.info.experiment_id, place.run.info.run_id
    wanted = f"tags.key = '{result.key}' and tags.digest = '{result.member.artifact.digest}'"
    for model in client.search_logged_models([experiment], wanted):
        if model.name == place.name and model.source_run_id == source_run:
            return model
    return client.create_logged_model(
        experiment,
        name=place.name,
        source_run_id=source_run,
        tags=dict(tags),
        model_type="pruned-classifier",
    )


def _update(
    client: "MlflowClient",
    site: Site,
    version: "ModelVersion",
    result: Result,
    tags: Mapping[str, str],
) -> None:
    """Add to a version what it does not say yet of its int8 file and latency."""
    new = {name: value for name, value in tags.items() if version.tags.get(name) != value}
    if INT8_DIGEST_TAG in new and version.run_id:
        log_int8(client, site, version.run_id, result)  # before the tag, which says that it is done
    for name, value in new.items():
        client.set_model_version_tag(version.name, version.version, name, value)


def _aliases(front: Sequence[Result], versions: Mapping[str, int]) -> dict[str, int]:
    """Say which version each alias of a run belongs to."""
    best = max(front, key=lambda x: (x.mean_validation, x.member.sparsity))
    smallest = min(front, key=lambda x: (x.member.artifact.size_bytes, -x.mean_validation))
    return {MOST_ACCURATE: versions[best.key], SMALLEST: versions[smallest.key]}


def _point_aliases(
    client: "MlflowClient", name: str, front: Sequence[Result], versions: Mapping[str, int]
) -> None:
    now = client.get_registered_model(name).aliases
    for alias, version in _aliases(front, versions).items():
        if alias not in now or int(now[alias]) != version:
            client.set_registered_model_alias(name, alias, str(version))
