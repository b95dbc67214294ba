"""The model registry: one version per network on the front, and the two aliases of a run."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mixmatch.records import ModelSpec, Result
from tasks.site import Site
from tasks.tracking.connection import connect, locked
from tasks.tracking.model_folder import write_model_folder
from tasks.tracking.repeatable import find_run

if TYPE_CHECKING:
    from mlflow import MlflowClient

MOST_ACCURATE = "most-accurate"
SMALLEST = "smallest"


def register_front(
    site: Site,
    run_id: str,
    *,
    registered_name: str,
    spec: ModelSpec,
    results: Sequence[Result],
    extra_tags: Mapping[str, str],
) -> dict[str, int]:
    """Register every result on the front once, and point the aliases at the best of them.

    A packed file that has a version already, by its digest, keeps that version. ``most-accurate``
    is the front's highest validation accuracy (ties: the sparser), ``smallest`` its fewest bytes
    (ties: the more accurate).

    Args:
        run_id: the parent run; the versions point at its children.
        spec: of the networks.
        results: members of one family; those off the front are passed over.
        extra_tags: set on new versions, for example the digests of data set and base.

    Returns:
        The version of each result on the front, by the result's key.
    """
    front = [result for result in results if result.on_front]
    if not front:
        return {}
    client = connect(site)
    with locked(site, "mlflow-registry"):
        _ensure_registered(client, registered_name)
        versions: dict[str, int] = {}
        for result in front:
            found = _version_of(client, registered_name, result)
            versions[result.key] = found or _register(
                client,
                site,
                run_id,
                name=registered_name,
                spec=spec,
                result=result,
                tags={**version_tags(result), **extra_tags},
            )
        _point_aliases(client, registered_name, front, versions)
    return versions


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


def _version_of(client: "MlflowClient", name: str, result: Result) -> int | None:
    wanted = f"name = '{name}' and tags.digest = '{result.member.artifact.digest}'"
    found = client.search_model_versions(wanted, order_by=["version_number ASC"])
    return int(found[0].version) if found else None


def _register(
    client: "MlflowClient",
    site: Site,
    run_id: str,
    *,
    name: str,
    spec: ModelSpec,
    result: Result,
    tags: Mapping[str, str],
) -> int:
    """Log the model and create its version, which points at the child run where there is one."""
    experiment = client.get_run(run_id).info.experiment_id
    child = find_run(client, experiment, result.key, parent=run_id)
    source_run = child.info.run_id if child else run_id
    model = client.create_logged_model(
        experiment,
        name=name,
        source_run_id=source_run,
        tags=dict(tags),
        model_type="pruned-classifier",
    )
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        packed = site.open_store().path(result.member.artifact)
        write_model_folder(folder, packed, spec, model.model_id)
        client.log_model_artifacts(model.model_id, str(folder))
    client.finalize_logged_model(model.model_id, "READY")
    # The plain location, not models:/m-ID: MLflow looks that up at its process-wide address.
    version = client.create_model_version(
        name, model.artifact_location, run_id=source_run, tags={**tags, "model_id": model.model_id}
    )
    return int(version.version)


def _point_aliases(
    client: "MlflowClient", name: str, front: Sequence[Result], versions: Mapping[str, int]
) -> None:
    best = max(front, key=lambda x: (x.mean_validation, x.member.sparsity))
    smallest = min(front, key=lambda x: (x.member.artifact.size_bytes, -x.mean_validation))
    now = client.get_registered_model(name).aliases
    for alias, result in ((MOST_ACCURATE, best), (SMALLEST, smallest)):
        version = versions[result.key]
        if alias not in now or int(now[alias]) != version:
            client.set_registered_model_alias(name, alias, str(version))
