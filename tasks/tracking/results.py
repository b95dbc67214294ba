"""One child run per member of the family and per rival, below the parent run of its flow."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from mixmatch.records import EpochRecord, LatencyRecord, Result, RivalResult
from tasks.site import Site
from tasks.tracking.abandoned import owner_tags
from tasks.tracking.connection import connect, locked
from tasks.tracking.deployment import int8_metrics, latency_metrics
from tasks.tracking.repeatable import (
    FINISHED,
    KEY_TAG,
    PARENT_TAG,
    find_children,
    now_ms,
    put,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run

KIND_TAG = "kind"  # of a child that is no member of the family


def open_children(site: Site, run_id: str, names: Mapping[str, str]) -> "dict[str, Run]":
    """Find or create many children of run ``run_id`` at once, and return them by key.

    Args:
        site: where runs are tracked.
        run_id: the parent.
        names: shown name of a new child, by key.
    """
    client = connect(site)
    experiment = client.get_run(run_id).info.experiment_id
    with locked(site, "mlflow-runs"):
        found = find_children(client, experiment, run_id)
        for key, name in names.items():
            if key not in found:
                tags = {KEY_TAG: key, PARENT_TAG: run_id, **owner_tags()}
                found[key] = client.create_run(experiment, run_name=name, tags=tags)
    return {key: found[key] for key in names}


def record_result(
    site: Site,
    run_id: str,
    result: Result,
    *,
    name: str,
    latency: LatencyRecord | None = None,
    child: "Run | None" = None,
) -> str:
    """Write ``result`` as a child of run ``run_id`` and return the child's identifier.

    The child is found by the result's key. One that has finished gets nothing twice; only whether
    it is on a front may change, since that depends on the other members, and with it whether there
    is an int8 file and a latency.

    Args:
        name: shown name of a new child, for example ``balanced/magnitude/0``.
        latency: what was measured; None: nothing.
        child: as ``open_children`` returned it; None: it is looked for.
    """
    client = connect(site)
    child = child or open_children(site, run_id, {result.key: name})[result.key]
    metrics = {
        **_standing(result),
        **int8_metrics(result),
        **latency_metrics(latency, result.member.artifact.digest),
    }
    if child.info.status == FINISHED:
        put(client, child, metrics=metrics, tags=_standing_tags(result))
        return str(child.info.run_id)
    return _finish(
        client,
        child,
        result,
        params=_params(result),
        metrics=metrics,
        tags=_standing_tags(result),
    )


def record_rival(
    site: Site, run_id: str, rival: RivalResult, *, name: str, child: "Run | None" = None
) -> str:
    """Write ``rival`` as a child of run ``run_id`` and return the child's identifier.

    The child is found by the rival's key. One that has finished gets nothing twice.

    Args:
        name: shown name of a new child, for example ``SNIP@0.9/0``.
        child: as ``open_children`` returned it; None: it is looked for.
    """
    client = connect(site)
    child = child or open_children(site, run_id, {rival.key: name})[rival.key]
    if child.info.status == FINISHED:
        return str(child.info.run_id)
    params = {"rival": rival.rival, "sparsity": str(rival.sparsity), "seed": str(rival.seed)}
    return _finish(
        client,
        child,
        rival,
        params={**params, **_sizes(rival)},
        metrics={},
        tags={KIND_TAG: "rival"},
    )


def result_tags(result: Result | RivalResult) -> dict[str, str]:
    """Return what a finished child run says about its network, but for its key."""
    rest = _standing_tags(result) if isinstance(result, Result) else {KIND_TAG: "rival"}
    return {**_digests(result), **rest}


def result_metrics(result: Result | RivalResult) -> dict[str, float]:
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


def _finish(
    client: "MlflowClient",
    child: "Run",
    result: Result | RivalResult,
    *,
    params: Mapping[str, str],
    metrics: Mapping[str, float],
    tags: Mapping[str, str],
) -> str:
    """Write all that was measured, and what is given besides, into a child run and end it."""
    child_id = str(child.info.run_id)
    put(
        client,
        child,
        params=params,
        metrics={**result_metrics(result), **metrics},
        tags={**_digests(result), **tags},
        points=_curves(client, child, result.member.epochs),
    )
    client.set_terminated(child_id, FINISHED)
    return child_id


def _params(result: Result) -> dict[str, str]:
    return {
        "strategy": result.strategy,
        "also": json.dumps(result.also),
        "criterion": result.criterion,
        "seed": str(result.seed),
        **_sizes(result),
    }


def _sizes(result: Result | RivalResult) -> dict[str, str]:
    return {
        "num_weights": str(result.member.num_weights),
        "num_parameters": str(result.member.num_parameters),
    }


def _digests(result: Result | RivalResult) -> dict[str, str]:
    return {
        "mixmatch.digest": result.member.artifact.digest,
        "mixmatch.mask_digest": result.member.mask_digest,
    }


def _standing(result: Result) -> dict[str, float]:
    return {
        "on_front": float(result.on_front),
        "on_size_front": float(result.on_size_front),
        "front_share": result.front_share,
    }


def _standing_tags(result: Result) -> dict[str, str]:
    return {
        "mixmatch.on_front": str(result.on_front).lower(),
        "mixmatch.on_size_front": str(result.on_size_front).lower(),
        "mixmatch.front_share": str(result.front_share),
        **({"mixmatch.int8_digest": result.int8.artifact.digest} if result.int8 else {}),
    }


def _curves(
    client: "MlflowClient", child: "Run", epochs: tuple[EpochRecord, ...]
) -> "list[Metric]":
    """Return one point per epoch and curve, without the steps that an interrupted call logged."""
    from mlflow.entities import Metric  # noqa: PLC0415  takes seconds

    now = now_ms()
    points: list[Metric] = []
    for curve in ("train_loss", "validation_accuracy"):
        history = (
            client.get_metric_history(child.info.run_id, curve)
            if curve in child.data.metrics
            else ()
        )
        logged = {point.step for point in history}
        points += [
            Metric(curve, getattr(epoch, curve), now, step)
            for step, epoch in enumerate(epochs)
            if step not in logged
        ]
    return points
