"""What of the store goes under DVC with a family, so that a run can be repeated from it alone."""

import json
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from mixmatch.config import RunConfig
from mixmatch.records import SCHEMA_VERSION, Artifact, FamilyRecord
from tasks.deployment import latency_job, quantizations
from tasks.jobs import FetchJob, Job, MemberJob
from tasks.lineage.traces import starts
from tasks.members import Prepared, references, untrained
from tasks.orders import rivals_job
from tasks.store import Envelope, Store

StepKey: TypeAlias = tuple[str, str]  # name of a step, key of its record

RECORDS, OBJECTS = "store/records", "store/objects"  # inside the folder under DVC


def steps_of(
    config: RunConfig,
    prepared: Prepared,
    family: FamilyRecord,
    preparation: Sequence[Job],
    store: Store,
) -> tuple[StepKey, ...]:
    """List all steps that the same run file asks for again, and that the store holds."""
    jobs: list[Job | None] = [
        *preparation,
        rivals_job(config, prepared.base, prepared.sensitivity, prepared.plan),
        *(line.job for line in references(config, prepared)),
        *(one.job for one in quantizations(config, prepared.data, family)),
        latency_job(config, prepared.data, family),
    ]
    if config.fine_tune.budget is not None:  # which begins with these
        jobs += [one.job for one in untrained(config, prepared)]
    found = [(job.step, job.key) for job in jobs if job is not None]
    members = [*(x.key for x in family.results), *(x.key for x in family.rivals)]
    for member in members:
        found += [(MemberJob.step, key) for key in starts(store, member)]
    return tuple(x for x in dict.fromkeys(found) if store.envelope(*x) is not None)


def kept_files(
    store: Store, steps: Sequence[StepKey], folder: Path, *, without: Collection[str]
) -> dict[str, Path]:
    """Return the records of ``steps`` and the files that they name, by path under DVC.

    The data set is left out, which is versioned for itself, and so is a step whose file is gone
    from the store meanwhile: who restores the family computes that one again.

    Args:
        store: holds them.
        steps: as ``steps_of`` returns them.
        folder: where records are written for this.
        without: digests of files that need no second name.
    """
    files: dict[str, Path] = {}
    for step, key in steps:
        envelope = store.envelope(step, key)
        if envelope is None or not all(store.is_intact(x) for x in artifacts_in(envelope.record)):
            continue
        place = folder / f"{step}-{key}.json"
        place.write_text(json.dumps(_whole(step, key, envelope), indent=1))
        files[f"{RECORDS}/{step}/{key}.json"] = place
        if step != FetchJob.step:
            artifacts = [x for x in artifacts_in(envelope.record) if x.digest not in without]
            files |= {f"{OBJECTS}/{x.digest}": store.path(x) for x in artifacts}
    return files


def artifacts_in(value: object) -> Iterator[Artifact]:
    """Yield every artifact that a record names, at any depth of its JSON."""
    if isinstance(value, dict):
        if value.keys() == {"digest", "size_bytes"}:
            yield Artifact.model_validate(value)
            return
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from artifacts_in(inner)


def _whole(step: str, key: str, envelope: Envelope) -> dict[str, object]:
    """Write a record as the store does."""
    stated = {"schema": SCHEMA_VERSION, "step": step, "key": key}
    return {**stated, "inputs": envelope.inputs, "record": envelope.record}
