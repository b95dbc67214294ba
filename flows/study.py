"""A study: family and rivals over the seeds of a run file, written row by row into a folder."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from flows.failures import listed
from flows.inputs import check_engine, check_inputs, locate_inputs
from flows.local_workers import local_workers
from flows.services import services
from flows.watch import Watch
from mixmatch.config import RunConfig
from mixmatch.errors import FamilyError
from tasks.labels import int8_label
from tasks.site import Site
from tasks.study.continuing import check_same_data, check_same_execution
from tasks.study.folder import StudyFolder
from tasks.study.int8 import Int8Row
from tasks.study.machine import Machine
from tasks.study.publish import publish
from tasks.study.row import StudyRow
from tasks.study.summary import StudySummary

if TYPE_CHECKING:
    from flows.session import Session
    from mixmatch.records import MemberRecord, QuantizedRecord
    from tasks.deployment import Quantization
    from tasks.members import Asked, Prepared


@dataclass(slots=True)
class _Progress:
    """What one session of work adds to a study."""

    folder: StudyFolder
    machine: Machine
    num_new: int = 0
    failed: dict[str, str] = field(default_factory=dict)

    def add(self, row: StudyRow) -> None:
        """Write a finished result down at once."""
        self.num_new += self.folder.append(row)


def study(config: RunConfig, site: Site, results: Path, *, watch: Watch) -> StudySummary:
    """Compute what the folder ``results`` lacks, then write its tables, figures and page.

    A study whose rows are complete needs neither the workspace nor the network. None of its results
    is timed: the setting ``latency`` is for a run's front.

    Args:
        config: the run file.
        site: workspace and store.
        results: the folder; created, or continued if it holds the same study.
        watch: is told what happens.

    Raises:
        InputError: what the run file names is missing or wrong, or the folder is another study's.
        WorkspaceError: the folder cannot be read or written.
        ServiceError: a server that the study needs does not answer.
    """
    folder = StudyFolder.open(results, config)
    progress = _Progress(folder, Machine.here(config.engine.device))
    if not folder.is_complete():
        try:
            with folder.session(progress.machine):
                _work(config, site, progress, watch)
        except FamilyError:  # which has ended the session as failed; the rows are there
            if not progress.failed:
                raise
    watch.on_stage("tables", "comparisons, figures, page")
    tables = publish(folder, tuple(progress.failed))
    return StudySummary(
        folder=str(results),
        num_rows=len(folder.rows()),
        num_new=progress.num_new,
        failed=progress.failed,
        tables=tables,
    )


def _work(config: RunConfig, site: Site, progress: _Progress, watch: Watch) -> None:
    watch.on_stage("inputs", "data set, checkpoint, network")
    inputs = locate_inputs(config, site)
    check_inputs(config, inputs, site)
    check_engine(config.engine)
    with local_workers(site) as workers, services(site, watch, load="flows.stages"):
        from flows.session import run_flow  # noqa: PLC0415  Prefect and torch

        def body(session: "Session") -> None:
            _compute(session, progress)

        run_flow("study", body, config, site, inputs=inputs, watch=watch, workers=workers)


def _compute(session: "Session", progress: _Progress) -> None:
    """Compute the results that the folder lacks.

    Raises:
        ConfigError: its rows were measured on other data, or computed in another way.
        FamilyError: results failed; those that finished are in the folder all the same.
    """
    from flows.stages import prepare  # noqa: PLC0415  torch takes seconds to load

    folder = progress.folder
    check_same_execution(folder, session.config.engine)
    prepared = prepare(session.config, session.site, session.watch, session.inputs, session.step)
    check_same_data(folder, prepared.data.artifact.digest)
    # What was planned first stays: on another machine the last bits of the scores may differ.
    kept = folder.save_plan(prepared.plan, prepared.rivals)
    prepared = replace(prepared, plan=kept.plan, rivals=kept.rivals)
    progress.add(StudyRow.of_base(prepared.base, prepared.data, progress.machine))
    asked, progress.failed = _fill(session, prepared, progress)
    if not progress.failed:  # else the fronts are not known yet
        progress.failed = _round(session, prepared, progress, asked)
    if failed := progress.failed:
        raise FamilyError(f"{len(failed)} results failed: {listed(failed)}.")


def _fill(
    session: "Session", prepared: "Prepared", progress: _Progress
) -> tuple[tuple["Asked", ...], dict[str, str]]:
    """Compute what has no row yet; every result becomes a row as soon as it is there.

    Returns:
        Everything that the study asks for, and why some of it failed, by label; without the family
        if its halving failed.
    """
    from flows.budget import compute_within_budget  # noqa: PLC0415  torch takes seconds to load
    from flows.members import compute  # noqa: PLC0415  as above
    from tasks.members import members, rivals, with_starts  # noqa: PLC0415  as above

    def note(one: "Asked", record: "MemberRecord") -> None:
        progress.add(_row(one, record, progress.machine))

    family: tuple[Asked, ...]
    budget, failed = session.config.fine_tune.budget, {}
    if budget is None:
        family = members(session.config, prepared)
    else:  # each round depends on all results of the one before, so nothing may be left out
        family, rounds = compute_within_budget(session, prepared, budget.epochs)
        failed = rounds.failed
        if failed:  # it led the halving astray, which is done again next time
            family = ()
        for one in family:
            note(one, rounds.records[one.job.key])
    asked: tuple[Asked, ...] = (*family, *rivals(session.config, prepared))
    there = progress.folder.labels()
    missing = [one for one in asked if one.label not in there]
    done = compute(session, with_starts(missing, asked, session.finds), on_member=note)
    return asked, failed | done.failed


def _round(
    session: "Session", prepared: "Prepared", progress: _Progress, asked: Sequence["Asked"]
) -> dict[str, str]:
    """Write and evaluate the int8 files that are wanted; return why some failed, by label.

    A network that was computed elsewhere, or was removed since, is computed again first.
    """
    from flows.deployment import QUANTIZE  # noqa: PLC0415  torch takes seconds to load
    from flows.members import compute  # noqa: PLC0415  as above
    from flows.side_by_side import compute_side_by_side  # noqa: PLC0415  as above
    from tasks.deployment import quantization  # noqa: PLC0415  as above
    from tasks.members import with_starts  # noqa: PLC0415  as above

    folder = progress.folder
    missing, keys = folder.missing_int8(), {row.label: row.key for row in folder.rows()}
    without = [one for one in asked if one.label in missing]
    chosen = [one for one in without if one.job.key == keys[one.label]]
    others = {
        one.label: "its row is of another network than is made here, so its int8 file would be too"
        for one in without
        if one not in chosen
    }
    networks = compute(session, with_starts(chosen, asked, session.finds))
    label_of, wanted = {}, []
    for one in chosen:
        if member := networks.records.get(one.job.key):
            file = quantization(
                session.config, int8_label(one.label), member, prepared.data, prepared.base.spec
            )
            label_of[file.label] = one.label
            wanted.append(file)

    def note(file: "Quantization", record: "QuantizedRecord") -> None:
        folder.append_int8(Int8Row.of(label_of[file.label], record, progress.machine))

    there = [session.finds(file.job) for file in wanted]
    done = compute_side_by_side(
        session,
        QUANTIZE,
        [file for file, is_there in zip(wanted, there, strict=True) if is_there],
        [file for file, is_there in zip(wanted, there, strict=True) if not is_there],
        on_record=note,
    )
    return others | networks.failed | done.failed


def _row(one: "Asked", record: "MemberRecord", machine: Machine) -> StudyRow:
    from tasks.members import Member, RivalMember  # noqa: PLC0415  torch takes seconds to load

    if isinstance(one, Member):
        return StudyRow.of_member(one, record, machine)
    return StudyRow.of_rival(cast(RivalMember, one), record, machine)
