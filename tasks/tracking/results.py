"""One child run per member of the family, below the parent run of its flow."""

import json
from typing import TYPE_CHECKING

from mixmatch.records import EpochRecord, Result
from tasks.site import Site
from tasks.tracking.connection import connect, locked
from tasks.tracking.repeatable import (
    FINISHED,
    KEY_TAG,
    PARENT_TAG,
    find_run,
    now_ms,
    put,
    put_points,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient


def record_result(site: Site, run_id: str, result: Result, *, name: str) -> str:
    """Write ``result`` as a child of run ``run_id`` and return the child's identifier.

    The child is found by the result's key. One that has finished gets nothing twice; only whether
    it is on the front may change, since that depends on the other members.

    Args:
        name: shown name of a new child, for example ``balanced/magnitude/0``.
    """
    client = connect(site)
    experiment = client.get_run(run_id).info.experiment_id
    with locked(site, "mlflow-runs"):
        child = find_run(client, experiment, result.key, parent=run_id)
        if child is None:
            tags = {KEY_TAG: result.key, PARENT_TAG: run_id}
            child = client.create_run(experiment, run_name=name, tags=tags)
    child_id = str(child.info.run_id)
    if child.info.status == FINISHED:
        put(client, child, metrics=_standing(result), tags=_standing_tags(result))
        return child_id
    put(
        client,
        child,
        params=_params(result),
        metrics={**result_metrics(result), **_standing(result)},
        tags={**_digests(result), **_standing_tags(result)},
    )
    _put_curves(client, child_id, result.member.epochs)
    client.set_terminated(child_id, FINISHED)
    return child_id


def result_metrics(result: Result) -> dict[str, float]:
    """Return the final figures of a member; sparsities and accuracies are fractions."""
    member = result.member
    return {
        "sparsity": member.sparsity,
        "sparsity_of_all": member.sparsity_of_all,
        "num_nonzero": float(member.num_nonzero),
        "bytes": float(member.artifact.size_bytes),
        "validation_accuracy_after_mask": member.validation_after_mask.value,
        "validation_accuracy_after_batch_norm": member.validation_after_batch_norm.value,
        "validation_accuracy_final": member.validation.value,
        "test_accuracy": member.test.value,
        "test_accuracy_low": member.test.low,
        "test_accuracy_high": member.test.high,
        "test_loss": member.test.loss,
        "accuracy_drop": result.accuracy_drop,
        "best_epoch": float(member.best_epoch),
        "seconds": member.seconds,
    }


def _params(result: Result) -> dict[str, str]:
    return {
        "strategy": result.strategy,
        "also": json.dumps(result.also),
        "criterion": result.criterion,
        "seed": str(result.seed),
        "num_weights": str(result.member.num_weights),
        "num_parameters": str(result.member.num_parameters),
    }


def _digests(result: Result) -> dict[str, str]:
    return {
        "mixmatch.digest": result.member.artifact.digest,
        "mixmatch.mask_digest": result.member.mask_digest,
    }


def _standing(result: Result) -> dict[str, float]:
    return {"on_front": float(result.on_front), "front_share": result.front_share}


def _standing_tags(result: Result) -> dict[str, str]:
    return {
        "mixmatch.on_front": str(result.on_front).lower(),
        "mixmatch.front_share": str(result.front_share),
    }


def _put_curves(client: "MlflowClient", run_id: str, epochs: tuple[EpochRecord, ...]) -> None:
    """Log one point per epoch and curve; steps that an interrupted call has logged are left out."""
    from mlflow.entities import Metric  # noqa: PLC0415  takes seconds

    now = now_ms()
    points: list[Metric] = []
    for curve in ("train_loss", "validation_accuracy"):
        logged = {point.step for point in client.get_metric_history(run_id, curve)}
        points += [
            Metric(curve, getattr(epoch, curve), now, step)
            for step, epoch in enumerate(epochs)
            if step not in logged
        ]
    put_points(client, run_id, points)
