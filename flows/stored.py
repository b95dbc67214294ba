"""The answer of a run that is finished already, from the store and MLflow: nothing is started.

The order is that of ``flows.family``; what it finds is what that would find, and only read.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from flows.inputs import Inputs
from flows.stages import prepare
from flows.watch import NullWatch
from mixmatch.config import RunConfig
from mixmatch.errors import MixMatchError
from mixmatch.records import (
    DataRecord,
    FamilyRecord,
    LatencyRecord,
    MemberRecord,
    QuantizedRecord,
    Record,
)
from tasks.deployment import latency_job, quantizations, with_int8
from tasks.family import assemble
from tasks.jobs import Job
from tasks.members import Asked, members, references, rivals
from tasks.site import Site
from tasks.standing import find_standing
from tasks.store import Store
from tasks.summary import RunSummary

R = TypeVar("R", bound=Record)


class _NotStoredError(MixMatchError):
    """The store lacks a record, so that there is something to compute."""


def answer_from_store(config: RunConfig, site: Site, inputs: Inputs) -> RunSummary | None:
    """Return the summary that the flow would give, if it would compute and write nothing.

    Every file that a record names is read and digested, as the flow does. A family under a budget
    always goes through the flow: who is trained there depends on results.

    Args:
        config: the run file.
        site: workspace and store.
        inputs: what the run file names, as it was found.

    Returns:
        The flow's summary but for its times; None where the flow has something to do.
    """
    if config.fine_tune.budget is not None:
        return None
    started = time.monotonic()
    try:
        summary = _answer(config, site, inputs, _Finder(site.open_store()))
    except _NotStoredError:
        return None
    if summary is None:
        return None
    return summary.model_copy(update={"seconds": {"store": time.monotonic() - started}})


@dataclass(slots=True)
class _Finder:
    """Looks records up, and counts those that the flow counts."""

    store: Store
    hits: int = 0

    def step(self, step: Callable[..., R], *, job: Job, **arguments: Any) -> R:  # noqa: ANN401  each step's own
        """Find what ``step`` would return; it is not called."""
        del step, arguments
        self.hits += 1
        return cast(R, self.find(job, job.kind))

    def find(self, job: Job, kind: type[R]) -> R:
        """Return the record of ``job``.

        Raises:
            _NotStoredError: the store lacks it, or a file that it names.
        """
        found = self.store.find(job.step, job.key, kind)
        if found is None:
            raise _NotStoredError(f"The store {self.store.address} lacks {job.step} {job.key}.")
        return found


def _answer(config: RunConfig, site: Site, inputs: Inputs, finder: _Finder) -> RunSummary | None:
    prepared = prepare(config, site, NullWatch(), inputs, finder.step)
    family, asked = members(config, prepared), rivals(config, prepared)
    every: tuple[Asked, ...] = (*family, *asked)
    records = {one.job.key: finder.find(one.job, MemberRecord) for one in every}
    for line in references(config, prepared):  # of the report
        finder.find(line.job, MemberRecord)
    finder.hits += len(every)
    assembled = assemble(
        config.run_name,
        prepared.base,
        family,
        records,
        cached=frozenset(records),
        failed={},
        rivals=asked,
    )
    deployed = _deployed(config, prepared.data, assembled, finder)
    standing = find_standing(config, prepared.data, deployed, every, site)
    if standing is None:
        return None
    summary = RunSummary.of(
        deployed,
        run_id=standing.run_id,
        workspace=site.workspace,
        report=standing.report,
        versions=standing.versions,
        cache={"hits": finder.hits, "misses": 0},
        seconds={},
    )
    return summary.model_copy(update={"from_store": True})


def _deployed(
    config: RunConfig, data: DataRecord, family: FamilyRecord, finder: _Finder
) -> FamilyRecord:
    """Add int8 files and latencies, as ``flows.deployment`` does."""
    made = {
        one.job.member.digest: finder.find(one.job, QuantizedRecord)
        for one in quantizations(config, data, family)
    }
    family = with_int8(family, made) if made else family
    job = latency_job(config, data, family)
    if job is None:
        return family
    return family.model_copy(update={"latency": finder.find(job, LatencyRecord)})
