"""What MLflow holds of int8 files and latencies, as figures of runs and tags of versions."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mixmatch.records import BaseRecord, LatencyRecord, Result, Timing
from tasks.site import Site

if TYPE_CHECKING:
    from mlflow import MlflowClient

INT8_DIGEST_TAG = "int8.digest"
LATENCY_TAG = "latency"
DROP_MEAN_TAG = "drop.mean"
DROP_HIGH_TAG = "drop.high"
INT8_ARTIFACT = "int8/network.packed"  # of the member's run


def int8_metrics(result: Result) -> dict[str, float]:
    """Return the figures of a result's int8 file; accuracies are fractions. Empty without one."""
    int8 = result.int8
    if int8 is None:
        return {}
    return {
        "int8.bytes": float(int8.artifact.size_bytes),
        "int8.sparsity": int8.sparsity,
        "int8.num_nonzero": float(int8.num_nonzero),
        "int8.validation_accuracy": int8.validation.value,
        "int8.test_accuracy": int8.test.value,
        "int8.accuracy_loss": result.member.test.value - int8.test.value,
    }


def latency_metrics(latency: LatencyRecord | None, network: str) -> dict[str, float]:
    """Return the median seconds of one network per runtime and batch size.

    Args:
        latency: what was measured; None: nothing.
        network: SHA-256 of the file that holds the network.
    """
    return {
        f"latency.{timing.runtime}.batch_{timing.batch}_s": timing.median_s
        for timing in _timings(latency, network)
    }


def deployment_tags(result: Result, latency: LatencyRecord | None) -> dict[str, str]:
    """Return what a version says of its network's int8 file and latency; fractions, bytes, seconds.

    ``latency`` is JSON: where, and the medians by runtime and batch size.
    """
    tags: dict[str, str] = {}
    if result.int8 is not None:
        tags["int8.bytes"] = str(result.int8.artifact.size_bytes)
        tags["int8.accuracy"] = str(result.int8.test.value)
        tags[INT8_DIGEST_TAG] = result.int8.artifact.digest
    medians: dict[str, dict[str, float]] = {}
    for timing in _timings(latency, result.member.artifact.digest):
        medians.setdefault(timing.runtime, {})[str(timing.batch)] = timing.median_s
    if latency is not None and medians:
        where = {"processor": latency.host.processor, "threads": latency.threads}
        tags[LATENCY_TAG] = json.dumps({**where, "median_s": medians})
    return tags


def drop_tags(result: Result, base: BaseRecord) -> dict[str, str]:
    """Return what a version says of its loss of validation accuracy against the base, fractions.

    ``drop.high`` is the upper end of the paired 95 % interval.
    """
    from mixmatch.statistics import paired_loss  # noqa: PLC0415  scientific packages are slow

    loss = paired_loss(base.validation, result.member.validation)
    return {DROP_MEAN_TAG: str(loss.difference), DROP_HIGH_TAG: str(loss.high)}


def log_int8(client: "MlflowClient", site: Site, run_id: str, result: Result) -> None:
    """Put a result's int8 file into its run, as ``INT8_ARTIFACT``; nothing happens without one."""
    if result.int8 is None:
        return
    folder, name = INT8_ARTIFACT.split("/")
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / name
        shutil.copyfile(site.open_store().path(result.int8.artifact), file)
        client.log_artifact(run_id, str(file), folder)


def _timings(latency: LatencyRecord | None, network: str) -> Iterator[Timing]:
    if latency is not None:
        yield from (timing for timing in latency.timings if timing.network == network)
