"""The compression flow, from the data set to the registered, versioned and reported family."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from flows.announce import announce_failures, announce_front
from flows.budget import compute_within_budget
from flows.deployment import deploy
from flows.failures import listed
from flows.inputs import Inputs
from flows.lineage_events import flow_here, run_told
from flows.local_workers import LocalWorkers
from flows.members import ComputedMembers, compute
from flows.run_trace import flow_trace
from flows.session import Session, run_flow
from flows.stages import prepare
from flows.steps import as_effect
from flows.watch import Watch
from mixmatch.config import RunConfig
from mixmatch.errors import FamilyError
from mixmatch.records import FamilyRecord
from tasks import publish
from tasks.family import assemble
from tasks.lineage import preparation_jobs, steps_of
from tasks.lineage_events import Outcome
from tasks.members import (
    Asked,
    Member,
    Prepared,
    RivalMember,
    members,
    references,
    rivals,
    untrained,
)
from tasks.news import Before, before, is_new_front
from tasks.site import Site
from tasks.summary import RunSummary
from tasks.tracking.abandoned import beat_of

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Product:
    """A family, and what is drawn and said beside it."""

    family: FamilyRecord
    references: dict[str, float]
    warnings: tuple[str, ...]


def run_family_flow(
    config: RunConfig, site: Site, inputs: Inputs, watch: Watch, workers: LocalWorkers
) -> RunSummary:
    """Run the flow; Prefect's server must answer.

    Raises:
        InputError: an input is wrong.
        FamilyError: no member could be computed.
    """
    outcome, parent = Outcome(), flow_here()

    def body(session: Session) -> None:
        with run_told(session, outcome, parent):
            _compress(session, outcome)

    try:
        run_flow("compress", body, config, site, inputs=inputs, watch=watch, workers=workers)
    except FamilyError:
        if outcome.summary is None:
            raise
    return cast(RunSummary, outcome.summary)


def compute_family(
    session: Session, prepared: Prepared, beside: Sequence[Asked] = ()
) -> tuple[tuple[Member, ...], tuple[RivalMember, ...], ComputedMembers]:
    """Compute family and rivals, side by side; what the store holds is taken from there.

    Raises:
        FamilyError: results failed on which a budget's halving depends.
    """
    asked, budget = rivals(session.config, prepared), session.config.fine_tune.budget
    if budget is not None:
        family, done = compute_within_budget(session, prepared, budget.epochs)
        if done.failed:  # others got their epochs, so this is not the family that was asked for
            raise FamilyError(
                f"{len(done.failed)} results failed, on which the halving of fine_tune.budget "
                f"depends: {listed(done.failed)}. Start again: what finished is kept."
            )
        done.add(compute(session, asked, beside=beside))
        return family, asked, done
    family = members(session.config, prepared)
    return family, asked, compute(session, (*family, *asked), beside=beside)


def _compress(session: Session, outcome: Outcome) -> None:
    """Compress a network.

    Raises:
        FamilyError: members failed; those that finished are published all the same.
    """
    config, site = session.config, session.site
    prepared = prepare(config, site, session.watch, session.inputs, session.step)
    outcome.data = prepared.data
    run_id = as_effect(publish.open_tracking)(
        config, prepared.data, prepared.base, _known(config, prepared), site
    )
    if beat := beat_of(site, run_id):
        session.lease.on_beat(beat)
    state = before(config, run_id, site)
    try:
        product = _make(session, prepared)
        family = product.family
        if not family.results:
            raise FamilyError(f"All {len(family.failed)} results failed: {listed(family.failed)}.")
        with session.timed("publish"):
            summary = _publish(session, prepared, run_id, product, state)
        outcome.summary = summary
    except BaseException:
        _fail_tracking(run_id, site)
        raise
    if family.failed:
        raise FamilyError(f"{len(family.failed)} results failed: {listed(family.failed)}.")


def _fail_tracking(run_id: str, site: Site) -> None:
    """Let the run fail in MLflow too; why it failed must be told even if that cannot be done."""
    try:
        publish.fail_tracking(run_id, site)
    except Exception as error:
        _log.warning("MLflow was not told that the run %s failed: %s", run_id, error)


def _known(config: RunConfig, prepared: Prepared) -> tuple[Asked, ...]:
    """List what is asked for, as far as it is known before anything is measured."""
    begins_untrained = config.fine_tune.budget is not None
    family = untrained(config, prepared) if begins_untrained else members(config, prepared)
    return (*family, *rivals(config, prepared))


def _make(session: Session, prepared: Prepared) -> _Product:
    """Compute everything, find the fronts, deploy them; references only illustrate the report."""
    lines = references(session.config, prepared)
    family, asked, done = compute_family(session, prepared, lines)
    missing = {line.label: done.failed.pop(line.label, None) for line in lines}
    assembled = assemble(
        session.config.run_name,
        prepared.base,
        family,
        done.records,
        cached=frozenset(done.cached),
        failed=done.failed,
        rivals=asked,
    )
    deployed, warnings = deploy(session, prepared.data, assembled)
    without_line = tuple(
        f"The reference line {label} is missing in the report: {reason}"
        for label, reason in missing.items()
        if reason is not None
    )
    return _Product(deployed, _accuracies(lines, done), (*without_line, *warnings))


def _accuracies(lines: Sequence[Member], done: ComputedMembers) -> dict[str, float]:
    """Return the test accuracies of the finished reference rankings, by name."""
    return {
        f"{line.strategy}, not fine-tuned": done.records[line.job.key].test.value
        for line in lines
        if line.job.key in done.records
    }


def _publish(
    session: Session, prepared: Prepared, run_id: str, product: _Product, state: Before
) -> RunSummary:
    """Track, register, version, report, tell; each finds out by itself what is there already."""
    config, site, family = session.config, session.site, product.family
    session.watch.on_stage("version", "data set and family under DVC")
    jobs = preparation_jobs(config, prepared, session.inputs.checkpoint, site.open_store())
    kept = steps_of(config, prepared, family, jobs, site.open_store())
    versioned = {
        "data": as_effect(publish.version_data)(prepared.data, site),
        "family": as_effect(publish.version_family)(config, family, site, kept),
    }
    session.watch.on_stage("register", "MLflow runs and model versions")
    as_effect(publish.track_results)(family, run_id, site)
    dvc = {name: x.md5 for name, x in versioned.items()}  # lineages name them
    background = publish.Background(jobs, flow_trace(), dvc)
    versions = as_effect(publish.register_results)(
        config, prepared.data, family, run_id, site, background=background
    )
    session.watch.on_stage("report", "one page")
    report = as_effect(publish.write_run_report)(
        family, prepared.plan, run_id, site, versions=versions, references=product.references
    )
    told = announce_failures(config, run_id, family.failed)
    if is_new_front(state, versions):
        told += announce_front(config, run_id, family, versions)
    as_effect(publish.close_tracking)(family, run_id, report, versioned, site)
    summary = RunSummary.of(
        family,
        run_id=run_id,
        workspace=site.workspace,
        report=str(report),
        versions=versions,
        cache={"hits": session.hits, "misses": session.misses},
        seconds=session.seconds,
    )
    return summary.model_copy(update={"warnings": product.warnings + told})
