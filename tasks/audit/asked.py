"""What every step was asked for, against what follows from the recorded settings."""

import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import TypeAlias

from mixmatch.config import EngineSettings, RunConfig
from mixmatch.config.ranges import AUTO
from mixmatch.records import (
    BaseRecord,
    DataRecord,
    PlanRecord,
    SensitivityRecord,
    StepTrace,
    TargetsRecord,
)
from tasks.audit.case import Case
from tasks.audit.links import Finding, Walk, unknown
from tasks.audit.method import is_of_this_version, step
from tasks.audit.origins import config_of
from tasks.audit.papers import compared_mappings
from tasks.checkpoint import LocatedCheckpoint
from tasks.factory import is_factory
from tasks.jobs import BaseJob, FetchJob, Job, MemberJob, PlanJob, SensitivityJob, TargetsJob
from tasks.jobs import data_job as fetch_job
from tasks.members import Prepared, members, untrained
from tasks.orders import base_job, plan_job, sensitivity_job, targets_job

Inputs: TypeAlias = dict[str, object]

_KINDS: tuple[type[Job], ...] = (FetchJob, BaseJob, SensitivityJob, TargetsJob, PlanJob, MemberJob)
# What the machine decides, not the settings.
_OF_THE_MACHINE = ("version", "versions", "execution")
# What the plan and the chain of members decide: the links ``counts`` and ``materials``.
_OF_THE_PLAN = ("num_pruned", "start")
_KNOWN = "resnet18"  # stands for a user's own network, whose code is not imported here


def walk_asked(walk: Walk, case: Case) -> None:
    """Check every step that the settings ask for; one that is not there does not hold."""
    for kind in _KINDS:
        name = kind.step
        if kind is TargetsJob and name not in {x.step for x in case.read.steps}:
            continue  # whether it must be there, the plan's targets tell
        needs = ["settings/digest"]
        needs += [f"{name}/{x}" for x in ("digest", "inputs", "materials")]
        walk.check(f"{name}/asked", partial(_asked, case, kind), needs=needs)


def _asked(case: Case, kind: type[Job]) -> Finding:
    trace = step(case, kind.step)
    earlier = (x.step for x in _KINDS[: _KINDS.index(kind)] if x is not TargetsJob)
    if (gone := next((x for x in earlier if case.read.step(x) is None), None)) is not None:
        return unknown(f"it follows from the step {gone}, which the lineage lacks")
    if (why := is_of_this_version(trace, kind)) is not None:
        return unknown(why)
    config = config_of(case)
    config = config.model_copy(update={"engine": EngineSettings()})  # of the machine
    expected, found = _expected(case, config, kind), dict(trace.inputs)
    if kind is MemberJob:
        _free_what_a_budget_decides(config, expected, found)
    for name in (*_OF_THE_MACHINE, *_OF_THE_PLAN):
        expected.pop(name, None)
        found.pop(name, None)
    wanted, said = (dict(_flat(x)) for x in (expected, found))
    nothing = dict.fromkeys(said.keys() - wanted.keys(), "nothing")
    return compared_mappings({**wanted, **nothing}, said)


def _expected(case: Case, config: RunConfig, kind: type[Job]) -> Inputs:
    """Return the inputs of a step's job, made from the settings and the records before it."""
    data = DataRecord.model_validate(step(case, FetchJob.step).record)
    if kind is FetchJob:
        fraction = config.calibration_fraction
        return fetch_job(config.data, data.source_digest, fraction, config.seed).inputs
    trace = step(case, BaseJob.step)
    if kind is BaseJob:
        return _base(config, data, trace)
    base = BaseRecord.model_validate(trace.record)
    if kind is SensitivityJob:
        return sensitivity_job(config, data, base).inputs
    scores = SensitivityRecord.model_validate(step(case, SensitivityJob.step).record)
    if kind is TargetsJob:
        search = targets_job(config, data, base, scores)
        return {} if search is None else search.inputs
    if kind is PlanJob:
        automatic = config.ranges.targets == AUTO and config.ranges.preset is None
        found = step(case, TargetsJob.step) if automatic else None
        targets = None if found is None else TargetsRecord.model_validate(found.record)
        return plan_job(config, base, scores, targets).inputs
    plan = PlanRecord.model_validate(step(case, PlanJob.step).record)
    return _member(case, config, Prepared(data, base, scores, plan))


def _base(config: RunConfig, data: DataRecord, trace: StepTrace) -> Inputs:
    spec = trace.inputs["spec"]
    stated = spec if isinstance(spec, dict) else {}
    checkpoint = None
    if config.model.checkpoint is not None:
        checkpoint = LocatedCheckpoint(
            label=str(trace.record["source"]),
            digest=str(trace.inputs["checkpoint_digest"]),
            path=None,
            mean=stated.get("mean"),
            std=stated.get("std"),
        )
    own = config.model.architecture
    if not is_factory(own):
        return base_job(config, data, checkpoint).inputs
    model = config.model.model_copy(update={"architecture": _KNOWN})
    job = base_job(config.model_copy(update={"model": model}), data, checkpoint)
    code = {"architecture": own, "code_digest": stated.get("code_digest")}
    settings = job.settings.model_copy(update={"architecture": own})
    named = {"spec": job.spec.model_copy(update=code), "settings": settings}
    return job.model_copy(update=named).inputs


def _member(case: Case, config: RunConfig, prepared: Prepared) -> Inputs:
    """Return the inputs of the member that the lineage's label names; of none, if none is asked."""
    family = members(config, prepared)
    if config.fine_tune.budget is not None and not _num_epochs(step(case, MemberJob.step).inputs):
        family = untrained(config, prepared)
    strategy, criterion, seed = case.read.label.split("/")
    asked = [
        x
        for x in family
        if (x.strategy, x.criterion) == (strategy, criterion)
        and (config.fine_tune.budget is not None or str(x.seed) == seed)
    ]
    return asked[0].job.inputs if asked else {}


def _num_epochs(inputs: Inputs) -> object:
    of_one = inputs.get("fine_tune")
    return of_one.get("max_epochs") if isinstance(of_one, dict) else None


def _free_what_a_budget_decides(config: RunConfig, expected: Inputs, found: Inputs) -> None:
    if config.fine_tune.budget is None:
        return
    for inputs in (expected, found):
        inputs.pop("seed", None)
        of_one = inputs.get("fine_tune")
        if isinstance(of_one, dict):
            inputs["fine_tune"] = {k: v for k, v in of_one.items() if k != "max_epochs"}


def _flat(value: Mapping[str, object], before: str = "") -> Iterator[tuple[str, str]]:
    for name, inner in value.items():
        if isinstance(inner, dict) and inner:
            yield from _flat(inner, f"{before}{name}.")
        else:
            yield f"{before}{name}", json.dumps(inner)
