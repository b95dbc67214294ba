"""The method's numbers recomputed: ranges from scores, plan from ranges, mask, zeros."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from mixmatch.digests import json_digest
from mixmatch.errors import ArtifactError
from mixmatch.records import Artifact, MemberRecord, ModelSpec, PlanRecord, StepTrace
from tasks.audit.case import Case
from tasks.audit.links import Finding, Walk, compared, unknown
from tasks.factory import is_factory
from tasks.jobs import Job, MemberJob, PlanJob

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mixmatch.signals import Signals

J = TypeVar("J", bound=Job)

_DERIVED = ("step", "version", "layer_patterns", "role_patterns")
_PLAN, _MEMBER = PlanJob.step, MemberJob.step
_PREPARED = ("base/file", "base/digest", "sensitivity/file", "sensitivity/curvature", "plan/digest")


def walk_method(walk: Walk, case: Case) -> None:
    """Recompute plan and mask from base and scores, and count on the packed weights."""
    walk.check("plan/ranges", partial(_ranges, case), needs=(*_PREPARED, "plan/inputs"))
    walk.check("plan/strategies", partial(_strategies, case), needs=("plan/ranges",))
    plan = ("plan/digest", f"{_MEMBER}/digest")
    walk.check(f"{_MEMBER}/counts", partial(_counts, case), needs=("plan/strategies", *plan))
    weights = ("registry/file", f"{_MEMBER}/digest")
    walk.check(f"{_MEMBER}/zeros", partial(_zeros, case), needs=weights)
    walk.check(f"{_MEMBER}/mask", partial(_mask, case), needs=(*weights, f"{_MEMBER}/zeros"))
    # After the mask, which says of the weights what this says of scores and counts.
    needs = (*_PREPARED, f"{_MEMBER}/counts", f"{_MEMBER}/inputs", f"{_MEMBER}/mask")
    walk.check(f"{_MEMBER}/selection", partial(_selection, case), needs=needs)


def job_of(trace: StepTrace, kind: type[J]) -> J:
    """Return the job that a trace was made by, with the order of its patterns."""
    # Inputs leave out what is None.
    inputs: dict[str, object] = dict.fromkeys(kind.model_fields)
    inputs = {name: None for name in inputs if kind.model_fields[name].is_required()}
    inputs |= {name: value for name, value in trace.inputs.items() if name not in _DERIVED}
    for field, patterns in (("ranges", "layer_patterns"), ("roles", "role_patterns")):
        order, holder = trace.inputs.get(patterns), inputs.get(field)
        if not isinstance(order, list) or not isinstance(holder, dict):
            continue
        if field == "ranges":
            inputs[field] = {**holder, "layers": {x: holder["layers"][x] for x in order}}
        else:
            inputs[field] = {x: holder[x] for x in order}
    return kind.model_validate(inputs)


def is_of_this_version(trace: StepTrace, kind: type[Job]) -> str | None:
    """Say why a step cannot be repeated by this code; None: it can."""
    made = trace.inputs.get("version")
    if made == kind.step_version:
        return None
    return f"it was made by version {made} of this step, and this mixmatch has {kind.step_version}"


def step(case: Case, name: str) -> StepTrace:
    """Return a step of the lineage.

    Raises:
        ArtifactError: the lineage has none of that name.
    """
    found = case.read.step(name)
    if found is None:
        raise ArtifactError(f"The lineage must have a step {name}, found none.")
    return found


def base_network(case: Case, base: Artifact, spec: ModelSpec) -> "nn.Module":
    """Return the base network with its weights, built once for versions that follow each other."""
    from tasks.networks import open_network  # noqa: PLC0415  torch takes seconds

    return case.memo.last(("network", base.digest), lambda: open_network(case.store, base, spec))


def unbuildable(case: Case, spec: ModelSpec) -> str | None:
    """Say why a network cannot be built: code of a user's own comes from the caller, never a file.

    None where it can.
    """
    if not is_factory(spec.architecture) or spec.architecture == case.factory:
        return None
    return f"the network is built by {spec.architecture}; give --factory to let it be imported"


def _ranges(case: Case) -> Finding:
    trace = step(case, _PLAN)
    recorded = PlanRecord.model_validate(trace.record)
    if (why := is_of_this_version(trace, PlanJob)) is not None:
        return unknown(why, _ranges_digest(recorded))
    job = job_of(trace, PlanJob)
    if (why := unbuildable(case, job.spec)) is not None:
        return unknown(why, _ranges_digest(recorded))
    found = case.memo.once(("plan", trace.key), lambda: _planned(case, job))
    return compared(
        _ranges_digest(recorded), _ranges_digest(found), _first_difference(recorded, found)
    )


def _planned(case: Case, job: PlanJob) -> PlanRecord:
    from tasks.plan import make_plan  # noqa: PLC0415  torch takes seconds

    return make_plan(job, case.store, base_network(case, job.base, job.spec))


def _ranges_digest(plan: PlanRecord) -> str:
    stated = plan.model_dump(mode="json", exclude={"strategies"})
    return json_digest(stated)


def _first_difference(recorded: PlanRecord, found: PlanRecord) -> str | None:
    for before, now in zip(recorded.layers, found.layers, strict=False):
        if before != now:
            return f"first at {before.name}: {list(before.range)} recorded, {list(now.range)} found"
    return "in the layers' names, or in the observed rankings"


def _strategies(case: Case) -> Finding:
    """Plan again within the recorded ranges, which are those found."""
    trace = step(case, _PLAN)
    recorded = PlanRecord.model_validate(trace.record)
    found = case.memo.once(("plan", trace.key), lambda: recorded)  # put there by the ranges
    said = {x.name: x.model_dump(mode="json") for x in recorded.strategies}
    again = {x.name: x.model_dump(mode="json") for x in found.strategies}
    wrong = next((name for name in (*said, *again) if said.get(name) != again.get(name)), None)
    return compared(json_digest(dict(said)), json_digest(dict(again)), f"first at {wrong}")


def _counts(case: Case) -> Finding:
    """Compare what the member was asked to prune with its strategy."""
    recorded = PlanRecord.model_validate(step(case, _PLAN).record)
    name = case.read.label.split("/")[0]
    planned = next((x for x in recorded.strategies if x.name == name), None)
    asked = cast(Mapping[str, object], step(case, _MEMBER).inputs["num_pruned"])
    expected = dict(planned.num_pruned) if planned is not None else {}
    return compared(json_digest(dict(expected)), json_digest(dict(asked)))


def _selection(case: Case) -> Finding:
    """Select the mask again from scores and counts."""
    trace, record = _member(case)
    if (why := is_of_this_version(trace, MemberJob)) is not None:
        return unknown(why, record.mask_digest)
    job = job_of(trace, MemberJob)
    if (why := unbuildable(case, job.spec)) is not None:
        return unknown(why, record.mask_digest)
    return compared(record.mask_digest, _mask_digest(selected_masks(case, job)))


def selected_masks(case: Case, job: MemberJob) -> "dict[str, Tensor]":
    """Return the mask that scores and counts of a job lead to."""
    from mixmatch.layers import prunable_layers, weights_of  # noqa: PLC0415  torch
    from mixmatch.masks import keep_masks  # noqa: PLC0415  likewise

    def scores() -> "dict[str, Tensor]":
        from mixmatch.criteria import score  # noqa: PLC0415  torch

        model = base_network(case, job.base, job.spec)
        weights = weights_of(model, prunable_layers(model))
        return score(job.criterion, weights, _signals(case, job))

    found = case.memo.last(
        ("scores", job.base.digest, job.criterion, job.scores, job.curvature), scores
    )
    key = ("masks", job.base.digest, job.criterion, json_digest(dict(job.num_pruned)))
    return case.memo.last(key, lambda: keep_masks(found, job.num_pruned))


def _signals(case: Case, job: MemberJob) -> "Signals | None":
    from tasks.networks import open_signals  # noqa: PLC0415  torch

    reads = job.scores or job.curvature
    return open_signals(case.store, job.scores, job.curvature) if reads else None


def _zeros(case: Case) -> Finding:
    """Count the weights of every layer that are not zero, in the packed file itself."""
    record = _member(case)[1]
    found = {name: int(kept.sum()) for name, kept in _kept(case, record).items()}
    sizes = {name: kept.numel() for name, kept in _kept(case, record).items()}
    shares = {name: 1 - found[name] / sizes[name] for name in found}
    wrong = next((x for x in shares if shares[x] != record.layer_sparsity[x]), None)
    total = f"{sum(found.values())} of {sum(sizes.values())} weights are not zero"
    expected = f"{record.num_nonzero} of {record.num_weights} weights are not zero"
    if expected == total and wrong is not None:
        return Finding(
            f"{wrong}: sparsity {record.layer_sparsity[wrong]}",
            f"{wrong}: sparsity {shares[wrong]}",
            ok=False,
        )
    sparsity = 1 - record.num_nonzero / record.num_weights
    if abs(sparsity - record.sparsity) > 1e-12:  # two roundings of one quotient
        return Finding(f"sparsity {record.sparsity}", f"sparsity {sparsity}", ok=False)
    return compared(expected, total)


def _mask(case: Case) -> Finding:
    """Digest the positions of the weights that are not zero; they are the mask.

    A kept weight may have been trained to exactly zero: then the mask that scores and counts lead
    to is taken, if no weight outside of it is there.
    """
    record = _member(case)[1]
    kept = _kept(case, record)
    found = _mask_digest(kept)
    if found == record.mask_digest:
        return compared(record.mask_digest, found)
    trace = step(case, _MEMBER)
    job = job_of(trace, MemberJob)
    if is_of_this_version(trace, MemberJob) is None and unbuildable(case, job.spec) is None:
        masks = selected_masks(case, job)
        if masks.keys() == kept.keys() and not any((kept[x] & ~masks[x]).any() for x in masks):
            found = _mask_digest(masks)
    return compared(record.mask_digest, found)


def _kept(case: Case, record: MemberRecord) -> "dict[str, Tensor]":
    """Return where the weights of the packed file are not zero, by layer."""
    from mixmatch.packed import read_packed  # noqa: PLC0415  torch

    path = case.packed

    def read() -> "dict[str, Tensor]":
        state = read_packed(cast(Path, path)).state
        return {
            name: state[f"{name}.weight" if f"{name}.weight" in state else name] != 0
            for name in record.layer_sparsity
            if f"{name}.weight" in state or name in state
        }

    return case.memo.last(("kept", path), read)


def _mask_digest(masks: "Mapping[str, Tensor]") -> str:
    from mixmatch.masks import mask_digest  # noqa: PLC0415  torch

    return mask_digest(masks)


def _member(case: Case) -> tuple[StepTrace, MemberRecord]:
    trace = step(case, _MEMBER)
    return trace, MemberRecord.model_validate(trace.record)
