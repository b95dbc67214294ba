"""What becomes of a finished family's front: int8 files and latencies, as jobs and in the record.

Of a run only the family: its rivals and reference lines are never rounded or timed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mixmatch.config import RunConfig
from mixmatch.records import (
    DataRecord,
    FamilyRecord,
    MemberRecord,
    ModelSpec,
    QuantizedRecord,
    Result,
)
from tasks.family import registered
from tasks.host import host_record
from tasks.jobs import LatencyJob, QuantizeJob
from tasks.labels import int8_label, member_label
from tasks.orders import member_execution

# Numbers of images at once that are timed: one as on a device, many as on a server.
BATCHES = (1, 32)


@dataclass(frozen=True, slots=True)
class Quantization:
    """One int8 file before it is made.

    Attributes:
        label: the member's with ``/int8``, for example ``balanced/magnitude/0/int8``.
        job: what is to be computed.
    """

    label: str
    job: QuantizeJob


def quantizations(
    config: RunConfig, data: DataRecord, family: FamilyRecord
) -> tuple[Quantization, ...]:
    """List the int8 files that the run file asks for, distinct by job, in the order of the family.

    ``front`` asks for all seeds of every configuration on either front.
    """
    found: dict[str, Quantization] = {}
    for result in family.results:
        if not _is_quantized(config, result):
            continue
        label = int8_label(member_label(result.strategy, result.criterion, result.seed))
        one = quantization(config, label, result.member, data, family.base.spec)
        found.setdefault(one.job.key, one)
    return tuple(found.values())


def quantization(
    config: RunConfig, label: str, member: MemberRecord, data: DataRecord, spec: ModelSpec
) -> Quantization:
    """Ask for the int8 file of one finished network."""
    job = QuantizeJob(
        member=member.artifact,
        data=data.artifact,
        spec=spec,
        execution=member_execution(config.engine),
    )
    return Quantization(label, job)


def with_int8(family: FamilyRecord, records: Mapping[str, QuantizedRecord]) -> FamilyRecord:
    """Put int8 files into ``family``.

    Args:
        family: without int8 files.
        records: by digest of the member's packed file.
    """
    results = tuple(
        result.model_copy(update={"int8": records.get(result.member.artifact.digest)})
        for result in family.results
    )
    return family.model_copy(update={"results": results})


def latency_job(config: RunConfig, data: DataRecord, family: FamilyRecord) -> LatencyJob | None:
    """Ask for the latency of the base and of what is registered; None if the run file does not.

    Of the seeds of one configuration, which are equally sparse, only the registered one is timed.
    """
    members = dict.fromkeys(result.member.artifact for result in registered(family))
    if config.latency == "none" or not members:
        return None
    return LatencyJob(
        base=family.base.artifact,
        members=tuple(members),
        data=data.artifact,
        spec=family.base.spec,
        batches=BATCHES,
        threads=config.engine.threads_per_job,
        host=host_record(),
    )


def _is_quantized(config: RunConfig, result: Result) -> bool:
    if config.quantize == "front":
        return result.on_front or result.on_size_front
    return config.quantize == "all"
