"""What follows the members: int8 files by workers, then latencies in this process.

Neither counts among the hits and misses of a run, and no failure of theirs loses a member.
"""

from typing import Any, cast

from flows.session import Session
from flows.side_by_side import Work, compute_side_by_side
from flows.steps import as_task, sentence_of
from mixmatch.records import DataRecord, FamilyRecord, LatencyRecord
from tasks.deployment import latency_job, quantizations, with_int8
from tasks.jobs import LatencyJob
from tasks.steps import make_quantized, measure_latency

QUANTIZE = Work(make_quantized, stage="quantize", doing="to round to int8 and evaluate again")


def deploy(
    session: Session, data: DataRecord, family: FamilyRecord
) -> tuple[FamilyRecord, tuple[str, ...]]:
    """Add int8 files and latencies to ``family``, as the run file asks.

    Returns:
        The family, with int8 files that failed named beside members that failed; and a sentence if
        latencies are missing, which only inform: not every network can be exported to ONNX.
    """
    family = _quantized(session, data, family)
    job = latency_job(session.config, data, family)
    if job is None:
        session.workers.end_soon()
        return family, ()
    with session.timed("latency"):
        session.workers.end()  # what they compute would be in the figures
        outcome = _measured(session, job)
    if isinstance(outcome, LatencyRecord):
        return family.model_copy(update={"latency": outcome}), ()
    return family, (f"Latencies are missing: {sentence_of(outcome)}",)


def _quantized(session: Session, data: DataRecord, family: FamilyRecord) -> FamilyRecord:
    asked = quantizations(session.config, data, family)
    if not asked:
        return family
    there = {one.job.key for one in asked if session.finds(one.job)}
    done = compute_side_by_side(
        session,
        QUANTIZE,
        [one for one in asked if one.job.key in there],
        [one for one in asked if one.job.key not in there],
    )
    by_member = {one.job.member.digest: done.records.get(one.job.key) for one in asked}
    made = {digest: record for digest, record in by_member.items() if record is not None}
    failed = {**family.failed, **done.failed}
    return with_int8(family, made).model_copy(update={"failed": failed})


def _measured(session: Session, job: LatencyJob) -> object:
    """Return the record, or the exception that the step raised."""
    found = session.finds(job)
    if not found:
        networks = f"{1 + len(job.members)} networks"
        session.watch.on_stage("latency", f"{networks}, through PyTorch and ONNX Runtime")
    task = as_task(measure_latency, session.site, refresh=not found)
    state = cast(Any, task)(job=job, site=session.site, return_state=True)
    outcome: object = state.result(raise_on_failure=False)
    return outcome
