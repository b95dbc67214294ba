"""How long the base and its members take on this machine, measured in turn; see docs/latency.md."""

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from itertools import product

import torch

from mixmatch.execution import computing
from mixmatch.images import ImageSet
from mixmatch.latency import quartiles_of, time_in_turn
from mixmatch.records import Artifact, Execution, LatencyRecord, Timing
from tasks.jobs import LatencyJob
from tasks.networks import open_split
from tasks.site import Site
from tasks.timed_networks import Runtime, runtimes

_LIMIT_S = 0.3  # for each network, runtime and batch size; slow networks take longer
_LARGEST_BYTES = 2**29  # of dense networks that are open at once; a session takes twice that

_Seconds = dict[tuple[str, str, int], list[float]]  # by network, runtime and batch size


def compute(job: LatencyJob, site: Site) -> LatencyRecord:
    """Measure every network in every runtime at every batch size of ``job``.

    Raises:
        ArtifactError: the store lacks a network or the data set.
        ConfigError: the network cannot be exported to ONNX.
        PackedFormatError: a member's file is damaged.
    """
    store, started = site.open_store(), time.monotonic()
    images = open_split(store, job.data, "calibration", "cpu")
    seconds: _Seconds = defaultdict(list)
    with computing(_execution(job)):
        for runtime in runtimes(job, store, images):
            for group in _groups(job):
                _measure(runtime, group, images, job.batches, seconds)
    return LatencyRecord(
        host=job.host,
        threads=job.threads,
        timings=_timings(job, seconds),
        seconds=time.monotonic() - started,
    )


def _execution(job: LatencyJob) -> Execution:
    return Execution(
        device="cpu",
        precision="float32",
        threads=job.threads,
        small_convolutions="native",
        versions=job.host.versions,
    )


def _groups(job: LatencyJob) -> Iterator[tuple[Artifact, ...]]:
    """Yield networks that are open at once; the base is in every group, so that all compare."""
    members = [member for member in dict.fromkeys(job.members) if member != job.base]
    size = max(1, _LARGEST_BYTES // job.base.size_bytes - 1)
    for start in range(0, max(1, len(members)), size):
        yield job.base, *members[start : start + size]


def _measure(
    runtime: Runtime,
    group: Sequence[Artifact],
    images: ImageSet,
    batches: Sequence[int],
    seconds: _Seconds,
) -> None:
    """Add to ``seconds`` how long the networks of ``group`` take, all of them in turn."""
    opened = {
        (artifact.digest, name): network
        for artifact in group
        for name, network in runtime.open(artifact).items()
    }
    for batch in batches:
        # Calibration images from the first on, and again from the first if there are too few.
        rows = torch.arange(batch) % len(images)
        prepared = runtime.prepare(images.images[rows])
        calls = {(*key, batch): partial(network, prepared) for key, network in opened.items()}
        with torch.inference_mode():
            measured = time_in_turn(calls, limit_s=_LIMIT_S)
        for key, values in measured.items():
            seconds[key].extend(values)


def _timings(job: LatencyJob, seconds: _Seconds) -> tuple[Timing, ...]:
    """Sum up by network, in the order of ``job``, then by runtime, then by batch size."""
    digests = dict.fromkeys(artifact.digest for artifact in (job.base, *job.members))
    names = dict.fromkeys(runtime for _, runtime, _ in seconds)
    return tuple(
        Timing(network=key[0], runtime=key[1], batch=key[2], **asdict(quartiles_of(seconds[key])))
        for key in product(digests, names, job.batches)
        if key in seconds
    )
