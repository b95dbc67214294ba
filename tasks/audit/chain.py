"""The chain of steps: their digests, inputs, records, files, and where these came from."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from mixmatch.digests import json_digest
from mixmatch.records import Artifact, StepTrace
from tasks.audit.case import Case, artifacts_of
from tasks.audit.links import Finding, Walk, compared, unknown
from tasks.audit.papers import stated_by_record
from tasks.jobs import MemberJob

# Wall times differ where a step was computed again; all else is compared.
_TIMES = ("seconds", "cpu_seconds", "seconds_before")
_SENSITIVITY, _MEMBER = "sensitivity", MemberJob.step
# What a step reads, and the field of which earlier step's record that is.
_READS = {
    "data": ("fetch", "artifact"),
    "base": ("base", "artifact"),
    "scores": (_SENSITIVITY, "artifact"),
    "curvature": (_SENSITIVITY, "curvature"),
    "member": (_MEMBER, "artifact"),
}


def walk_chain(walk: Walk, case: Case) -> None:
    """Check every step: the digest first, which all else about it rests on."""
    names = step_names(case.read.steps)
    _walk_digests(walk, case, names)
    for name, trace in names.items():
        digest = (f"{name}/digest",)
        walk.check(f"{name}/inputs", partial(_inputs, trace), needs=digest)
        walk.check(f"{name}/materials", partial(_materials, names, name), needs=digest)
        walk.check(f"{name}/record", partial(_record, case, trace), needs=digest)
        for field, artifact in artifacts_of(trace).items():
            walk.check(f"{name}/{file_link(field)}", partial(_file, case, artifact), needs=digest)
    walk.check(f"{_MEMBER}/subject", lambda: _subject(case), needs=(f"{_MEMBER}/digest",))
    walk.check(
        f"{_MEMBER}/figures",
        lambda: stated_by_record(case),
        needs=(f"{_MEMBER}/digest", "base/digest"),
    )


def step_names(steps: Iterable[StepTrace]) -> dict[str, StepTrace]:
    """Name the steps; of several members all but the last are numbered."""
    listed = list(steps)
    last = max((i for i, x in enumerate(listed) if x.step == _MEMBER), default=-1)
    names: dict[str, StepTrace] = {}
    for place, trace in enumerate(listed):
        earlier = trace.step == _MEMBER and place != last
        names[f"{trace.step} {place}" if earlier else trace.step] = trace
    return names


def _walk_digests(walk: Walk, case: Case, names: Mapping[str, StepTrace]) -> None:
    """Compare the last step with the head, and each other with its digest in a later one.

    From the end: a step that was changed no longer vouches for those before it.
    """
    order = list(names)
    vouchers: tuple[str, ...] | None = None
    findings: dict[str, Finding] = {}
    for place, name in reversed(list(enumerate(order))):
        trace, later = names[name], order[place + 1] if place + 1 < len(order) else None
        if later is None:
            finding = compared(case.read.head, trace.digest)
        elif vouchers is not None:
            finding = compared(_at(vouchers, place), trace.digest)
        else:
            finding = compared(_at(names[later].before, place), trace.digest)
            if not finding.ok:
                finding = unknown(f"only {later} names it, which does not hold", finding.expected)
        findings[name] = finding
        if finding.ok and vouchers is None:
            vouchers = trace.before
    for name in order:
        walk.check(f"{name}/digest", partial(findings.__getitem__, name))


def _at(digests: tuple[str, ...], place: int) -> str | None:
    return digests[place] if place < len(digests) else None


def file_link(field: str) -> str:
    """Name the link of a file by the field of the record that names it."""
    return "file" if field == "artifact" else field


def _inputs(trace: StepTrace) -> Finding:
    return compared(trace.key, json_digest(trace.inputs))


def _materials(names: Mapping[str, StepTrace], name: str) -> Finding:
    """Compare what a step read with what the steps before it have made."""
    trace, expected, found = names[name], [], []
    for field, (step, made) in _READS.items():
        read = trace.inputs.get(field)
        if not isinstance(read, dict):
            continue
        source = _before(names, name, step)
        expected.append(f"{field} {_digest(source.record.get(made)) if source else 'missing'}")
        found.append(f"{field} {_digest(read)}")
    start = trace.inputs.get("start")
    if start is not None:
        earlier = _before(names, name, _MEMBER)
        expected.append(f"start {earlier.key if earlier else 'missing'}")
        found.append(f"start {start}")
    return compared(", ".join(expected) or "nothing", ", ".join(found) or "nothing")


def _before(names: Mapping[str, StepTrace], name: str, step: str) -> StepTrace | None:
    order = list(names)
    earlier = [names[x] for x in order[: order.index(name)] if names[x].step == step]
    return earlier[-1] if earlier else None


def _record(case: Case, trace: StepTrace) -> Finding:
    """Compare a step with the record that the store holds of it."""
    expected = json_digest({"inputs": trace.inputs, "record": _without_times(trace.record)})
    stored = case.memo.once(
        ("record", trace.step, trace.key), lambda: case.store.envelope(trace.step, trace.key)
    )
    if stored is None:
        return unknown("the store holds no readable record of it", expected)
    found = {"inputs": stored.inputs, "record": _without_times(stored.record)}
    return compared(expected, json_digest(found))


def _without_times(value: Any) -> Any:  # noqa: ANN401  JSON
    if isinstance(value, dict):
        return {k: _without_times(v) for k, v in value.items() if k not in _TIMES}
    return [_without_times(x) for x in value] if isinstance(value, list) else value


def _file(case: Case, artifact: Artifact) -> Finding:
    found = case.stored_digest(artifact)
    if found is None:
        return unknown("the store does not hold it", artifact.digest)
    return compared(artifact.digest, found)


def _subject(case: Case) -> Finding:
    member = case.read.step(_MEMBER)
    made = _digest(member.record.get("artifact")) if member else "no member"
    return compared(made, case.read.subject.digest)


def _digest(artifact: object) -> str:
    return str(artifact["digest"]) if isinstance(artifact, dict) else "missing"
