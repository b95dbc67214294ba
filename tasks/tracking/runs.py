"""The parent run of a flow: opened or resumed by its key, closed once."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mixmatch.config import RunConfig
from mixmatch.config.fields import Settings
from mixmatch.records import DataRecord, FamilyRecord
from tasks.run_file import effective_yaml
from tasks.site import Site
from tasks.summary import SPARSE
from tasks.tracking.abandoned import owner_tags
from tasks.tracking.connection import connect, ensure_experiment, locked
from tasks.tracking.deployment import latency_metrics
from tasks.tracking.repeatable import FINISHED, KEY_TAG, find_run, now_ms, put

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput

_OPENED_TAG = "mixmatch.opened_ms"
_FAILED_TAG = "mixmatch.failed"
_DIGEST_LENGTH = 36  # of a data set; MLflow's limit


def open_run(
    site: Site,
    *,
    name: str,
    key: str,
    config: RunConfig,
    data: DataRecord,
    tags: Mapping[str, str],
) -> str:
    """Find the run tagged with ``key`` in the experiment of ``config`` and resume it, or create it.

    A finished run is left as it is. One that failed or was killed runs again and keeps what it has.

    Args:
        name: shown name of a new run.
        key: digest of everything that makes two runs the same.
        config: its settings become parameters and the artifact ``run.yaml``.
        data: logged as the input data set.
        tags: set on a new or resumed run.

    Returns:
        MLflow's id of the run.
    """
    client = connect(site)
    with locked(site, "mlflow-runs"):
        experiment = ensure_experiment(client, site, config.run_name)
        run = find_run(client, experiment, key)
        if run is not None and run.info.status == FINISHED:
            return str(run.info.run_id)
        if run is None:
            tags_now = {KEY_TAG: key, **owner_tags()}
            run = client.create_run(experiment, run_name=name, tags=tags_now)
        else:
            client.update_run(run.info.run_id, status="RUNNING")
    run_id = str(run.info.run_id)
    put(
        client,
        run,
        params=flat_settings(config),
        tags={_OPENED_TAG: str(now_ms()), **owner_tags(), **tags},
    )
    client.log_inputs(run_id, datasets=[_input_of(data)])
    client.log_text(run_id, effective_yaml(config), "run.yaml")
    return run_id


def close_run(
    site: Site,
    run_id: str,
    *,
    family: FamilyRecord,
    report: Path,
    pointers: Mapping[str, Path],
    tags: Mapping[str, str],
    failed: bool,
) -> None:
    """Log the figures and files of a whole run and end it; a run that has finished is left alone.

    Args:
        family: the product of the run.
        report: the self-contained page, kept under its own name.
        pointers: DVC pointer files, kept as ``dvc/NAME/FILE``.
        tags: for example the DVC hashes.
        failed: whether the run ends as FAILED rather than FINISHED.
    """
    client = connect(site)
    run = client.get_run(run_id)
    if run.info.status == FINISHED and not failed:
        return
    opened = int(run.data.tags.get(_OPENED_TAG, run.info.start_time))
    seconds = (now_ms() - opened) / 1000
    reasons = {_FAILED_TAG: json.dumps(family.failed)} if family.failed else {}
    if not reasons and _FAILED_TAG in run.data.tags:
        client.delete_tag(run_id, _FAILED_TAG)  # of an attempt that this one completes
    put(
        client,
        run,
        metrics={**family_metrics(family), "seconds": seconds},
        tags={**tags, **reasons},
    )
    client.log_artifact(run_id, str(report))
    for name, pointer in pointers.items():
        client.log_artifact(run_id, str(pointer), f"dvc/{name}")
    client.set_terminated(run_id, "FAILED" if failed else FINISHED)


def fail_run(site: Site, run_id: str) -> None:
    """End a run as failed, unless it has finished: what it holds stays, and it can be resumed."""
    client = connect(site)
    if client.get_run(run_id).info.status != FINISHED:
        client.set_terminated(run_id, "FAILED")


def flat_settings(settings: Settings) -> dict[str, str]:
    """Write settings as parameters: dotted names, strings as they are, all else as JSON.

    Only sections are descended into. Free tables such as ``ranges.layers`` stay one value: their
    keys hold characters that MLflow refuses in names.
    """
    flat: dict[str, str] = {}
    for field, info in type(settings).model_fields.items():
        name, value = info.alias or field, getattr(settings, field)
        if isinstance(value, Settings):
            flat |= {f"{name}.{inner}": text for inner, text in flat_settings(value).items()}
        elif isinstance(value, str):
            flat[name] = value
        else:
            flat[name] = json.dumps(settings.model_dump(mode="json", include={field})[field])
    return flat


def family_metrics(family: FamilyRecord) -> dict[str, float]:
    """Summarize a family; accuracies are fractions.

    ``best_accuracy_sparse`` is the test accuracy of the member that has the best validation
    accuracy among those with a sparsity of at least ``SPARSE``; absent where there is none.
    Latencies are the base's, seconds.
    """
    metrics = {
        "num_results": len(family.results),
        "num_failed": len(family.failed),
        "front_size": sum(result.on_front for result in family.results),
        "num_on_size_front": sum(result.on_size_front for result in family.results),
        "base_validation_accuracy": family.base.validation.value,
        "base_test_accuracy": family.base.test.value,
        **latency_metrics(family.latency, family.base.artifact.digest),
    }
    sparse = [x.member for x in family.results if x.member.sparsity >= SPARSE]
    if sparse:
        best = max(sparse, key=lambda member: (member.validation.value, member.sparsity))
        metrics["best_validation_accuracy_sparse"] = best.validation.value
        metrics["best_accuracy_sparse"] = best.test.value
    return {name: float(value) for name, value in metrics.items()}


def _input_of(data: DataRecord) -> "DatasetInput":
    """Describe a data set as MLflow logs it; MLflow cuts digests, so the profile holds it whole."""
    from mlflow.entities import Dataset, DatasetInput, InputTag  # noqa: PLC0415  takes seconds

    is_address = data.source.startswith(("http://", "https://"))
    profile = {
        "source_digest": data.source_digest,
        "artifact_digest": data.artifact.digest,
        "num_images": data.num_images,
        "classes": len(data.classes),
        "image_shape": list(data.image_shape),
    }
    dataset = Dataset(
        name=data.name,
        digest=data.source_digest[:_DIGEST_LENGTH],
        source_type="http" if is_address else "code",
        source=json.dumps({"url": data.source} if is_address else {"tags": {"from": data.source}}),
        profile=json.dumps(profile),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])
