"""What all versions of a registered model say of themselves, for the gates of a policy."""

import json
import math
from typing import TYPE_CHECKING

from mixmatch.errors import RegistryError
from mixmatch.records import VersionFacts
from tasks.site import Site
from tasks.tracking.browse import all_versions, require_model
from tasks.tracking.connection import connect_if_there
from tasks.tracking.deployment import DROP_HIGH_TAG, DROP_MEAN_TAG, LATENCY_TAG

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

# Metrics of the member's run by the front that they tell of.
_FRONTS = {"sparsity": "on_front", "bytes": "on_size_front"}


def version_facts(site: Site, name: str) -> tuple[tuple[VersionFacts, ...], dict[int, str]]:
    """Read every version of a model.

    Returns:
        Those that mixmatch registered, oldest first; and of the others, by number, what is wrong.

    Raises:
        RegistryError: there is no such model.
    """
    client = connect_if_there(site)
    if client is None:
        raise RegistryError(f"There is no registered model {name!r}; nothing is tracked yet.")
    require_model(client, name)
    facts: list[VersionFacts] = []
    unreadable: dict[int, str] = {}
    for version in all_versions(client, name):
        try:
            facts.append(_facts(client, version))
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            unreadable[int(version.version)] = f"{type(error).__name__}: {error}"
    return tuple(sorted(facts, key=lambda x: x.version)), unreadable


def _facts(client: "MlflowClient", version: "ModelVersion") -> VersionFacts:
    tags = version.tags
    latency = json.loads(tags.get(LATENCY_TAG, "{}"))
    return VersionFacts(
        version=int(version.version),
        digest=tags["digest"],
        bytes=int(tags["bytes"]),
        sparsity=_finite(tags["sparsity"]),
        validation_accuracy=_finite(tags["validation_accuracy"]),
        accuracy=_finite(tags["accuracy"]),
        data_digest=tags.get("data.digest"),
        drop_mean=_finite(tags[DROP_MEAN_TAG]) if DROP_MEAN_TAG in tags else None,
        drop_high=_finite(tags[DROP_HIGH_TAG]) if DROP_HIGH_TAG in tags else None,
        fronts=_fronts(client, version.run_id),
        processor=latency.get("processor"),
        median_s=latency.get("median_s", {}),
        key=tags.get("key"),
    )


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"a figure must be finite, got {text!r}")
    return value


def _fronts(client: "MlflowClient", run_id: str | None) -> tuple[str, ...] | None:
    """Ask the run that made it, which learns of later members; None where it is gone."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415  takes seconds

    if not run_id:
        return None
    try:
        metrics = client.get_run(run_id).data.metrics
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None
    if not any(metric in metrics for metric in _FRONTS.values()):
        return None
    return tuple(front for front, metric in _FRONTS.items() if metrics.get(metric) == 1.0)
