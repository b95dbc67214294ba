"""The steps behind one member, as the store keeps them, in a chain of digests."""

from collections.abc import Iterator, Sequence

from mixmatch.config import RunConfig
from mixmatch.errors import ArtifactError
from mixmatch.records import StepTrace, TargetsRecord
from tasks.checkpoint import LocatedCheckpoint
from tasks.jobs import Job, MemberJob, QuantizeJob, data_job
from tasks.members import Prepared
from tasks.orders import base_job, plan_job, sensitivity_job, targets_job
from tasks.store import Envelope, Store


def preparation_jobs(
    config: RunConfig, prepared: Prepared, checkpoint: LocatedCheckpoint | None, store: Store
) -> tuple[Job, ...]:
    """Return the jobs that precede every member, in their order.

    Args:
        config: the run file.
        prepared: what came out of them.
        checkpoint: where the base's weights came from; None: it was trained.
        store: holds the record of the search for targets, if there was one.
    """
    data, base, scores = prepared.data, prepared.base, prepared.sensitivity
    fetch = data_job(config.data, data.source_digest, config.calibration_fraction, config.seed)
    search = targets_job(config, data, base, scores)
    targets = store.find(search.step, search.key, TargetsRecord) if search else None
    jobs = (
        fetch,
        base_job(config, data, checkpoint),
        sensitivity_job(config, data, base),
        search,
        plan_job(config, base, scores, targets),
    )
    return tuple(job for job in jobs if job is not None)


def traces_of(
    store: Store, preparation: Sequence[Job], member_key: str, quantize: QuantizeJob | None = None
) -> tuple[StepTrace, ...]:
    """Return the trace of every step behind a member, in their order.

    Args:
        store: holds the records.
        preparation: as ``preparation_jobs`` returns them.
        member_key: of the member's job.
        quantize: of its int8 file; None: it has none.

    Raises:
        ArtifactError: the store lacks the record of a step.
    """
    steps = [(job.step, job.key) for job in preparation]
    steps += [(MemberJob.step, key) for key in reversed(list(starts(store, member_key)))]
    if quantize is not None:
        steps.append((quantize.step, quantize.key))
    traces: list[StepTrace] = []
    for step, key in steps:
        found = _envelope(store, step, key)
        before = tuple(trace.digest for trace in traces)
        traces.append(
            StepTrace(step=step, key=key, inputs=found.inputs, record=found.record, before=before)
        )
    return tuple(traces)


def starts(store: Store, key: str | None) -> Iterator[str]:
    """Yield the keys of a member and of those from whose networks it was trained on."""
    while key is not None:
        yield key
        start = _envelope(store, MemberJob.step, key).inputs.get("start")
        key = start if isinstance(start, str) else None


def _envelope(store: Store, step: str, key: str) -> Envelope:
    found = store.envelope(step, key)
    if found is None:
        raise ArtifactError(
            f"The store {store.address} must hold the record {key} of the step {step}, which a "
            "lineage names, found none; run again to compute it anew."
        )
    return found
