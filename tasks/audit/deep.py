"""What takes minutes: sensitivity, accuracies and fine-tuning computed again, in a store aside."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mixmatch.digests import file_digest
from mixmatch.errors import DataError
from mixmatch.records import Accuracy, Artifact, MemberRecord, Record, StepTrace
from tasks.audit.case import Case, artifacts_of
from tasks.audit.links import Finding, Walk, compared, unknown
from tasks.audit.method import is_of_this_version, job_of, step, unbuildable
from tasks.audit.origins import config_of
from tasks.data import locate_data
from tasks.host import processor
from tasks.jobs import Job, MemberJob, SensitivityJob
from tasks.site import Site
from tasks.workspace import Workspace

if TYPE_CHECKING:
    from torch import nn

_MEMBER, _SENSITIVITY = MemberJob.step, SensitivityJob.step
_SPLITS = ("validation", "test")
# Kernels of another processor may order sums otherwise: relative to the norm of the scores.
_SAME_SCORES = 1e-4
# And few images may then fall on the other side of a decision.
_SAME_IMAGES = 0.002


def walk_deep(walk: Walk, case: Case, *, deep: bool, rerun: bool) -> None:
    """Compute again what was asked for."""
    files = ("fetch/file", "base/file")
    if deep:
        walk.check("fetch/source", partial(_source, case), needs=("settings/digest",))
        scores = (*files, f"{_SENSITIVITY}/digest", f"{_SENSITIVITY}/file")
        walk.check(f"{_SENSITIVITY}/again", partial(_sensitivity, case), needs=scores)
        packed = ("fetch/file", "registry/file", f"{_MEMBER}/digest")
        for split in _SPLITS:
            walk.check(f"{_MEMBER}/{split} again", partial(_accuracy, case, split), needs=packed)
    if rerun:
        asked = (*files, f"{_MEMBER}/digest", f"{_MEMBER}/inputs", f"{_SENSITIVITY}/file")
        walk.check(f"{_MEMBER}/again", partial(_member, case), needs=asked)


def _source(case: Case) -> Finding:
    """Digest the data set's source again; nothing is downloaded for that."""
    config, trace = config_of(case), step(case, "fetch")
    expected = trace.inputs.get("source_digest")
    if config.data.root is None and config.data.name != "digits":
        return unknown("the source was downloaded, and is not fetched for an audit", expected)
    try:
        found = locate_data(config.data, case.site.open_workspace())
    except DataError as error:
        return unknown(f"the source is gone: {error}", expected)
    return compared(expected, found.source_digest)


def _sensitivity(case: Case) -> Finding:
    trace = step(case, _SENSITIVITY)
    if (why := _unrepeatable(case, trace, SensitivityJob)) is not None:
        return unknown(why)
    job = job_of(trace, SensitivityJob)
    expected = artifacts_of(trace)
    return case.memo.once(
        ("sensitivity", trace.key), partial(_sensitivity_again, case, job, expected)
    )


def _sensitivity_again(case: Case, job: SensitivityJob, expected: dict[str, Artifact]) -> Finding:
    from tasks.sensitivity import compute  # noqa: PLC0415  torch takes seconds

    with _aside(case, job.base, job.data) as site:
        record = compute(job, site)
        found = artifacts_of_record(record)
        wrong = [name for name, x in expected.items() if found.get(name) != x]
        said = " ".join(x.digest for x in expected.values())
        now = " ".join(x.digest for x in found.values())
        if not wrong:
            return compared(said, now)
        store = site.open_store()
        pairs = [(case.store.path(expected[x]), store.path(found[x])) for x in wrong if x in found]
        distance = max((_distance(*pair) for pair in pairs), default=float("inf"))
    why = f"the scores differ by {distance:.1e} of their norm"
    ok = distance <= _SAME_SCORES and not _is_same_kind(case)
    return Finding(said, now, ok=ok, why=why)


def _accuracy(case: Case, split: str) -> Finding:
    """Evaluate the packed file as the member was evaluated."""
    from mixmatch.execution import computing  # noqa: PLC0415  torch takes seconds
    from tasks.networks import accuracy_of, open_split  # noqa: PLC0415  likewise

    trace = step(case, _MEMBER)
    record = MemberRecord.model_validate(trace.record)
    if (why := _unrepeatable(case, trace, MemberJob)) is not None:
        return unknown(why)
    job = job_of(trace, MemberJob)
    with computing(job.execution) as device:
        model = _packed_network(case, job).to(device)
        images = open_split(case.store, job.data, split, job.execution.device)
        found = accuracy_of(model, images, job.spec, job.execution)
    expected: Accuracy = getattr(record, split)
    said, now = (f"{x.num_correct} of {x.num_images} right" for x in (expected, found))
    if said == now or expected.num_images != found.num_images:
        return compared(said, now)
    apart = abs(expected.num_correct - found.num_correct) / expected.num_images
    ok = apart <= _SAME_IMAGES and not _is_same_kind(case)
    return Finding(said, now, ok=ok, why=_made_by(case) if ok else None)


def _is_same_kind(case: Case) -> bool:
    """Say whether this is the kind of machine that made it, which gives the same bits again."""
    import torch  # noqa: PLC0415  takes seconds

    builder = case.read.builder
    made = (builder.processor, builder.packages.get("torch"))
    return made == (processor(), torch.__version__.partition("+")[0])


def _made_by(case: Case) -> str:
    builder = case.read.builder
    return f"it was made by torch {builder.packages.get('torch')} on {builder.processor}"


def _packed_network(case: Case, job: MemberJob) -> "nn.Module":
    import torch  # noqa: PLC0415  likewise

    from mixmatch.checkpoints import load_state_  # noqa: PLC0415  torch takes seconds
    from mixmatch.packed import read_packed  # noqa: PLC0415  likewise
    from tasks.networks import build_network  # noqa: PLC0415  likewise

    model = build_network(job.spec)
    state = read_packed(Path(str(case.packed))).state
    load_state_(model, state, allow_new_head=False, source="the packed file")
    model.to(memory_format=torch.channels_last)  # as members are evaluated
    return model.eval()


def _member(case: Case) -> Finding:
    """Prune and fine-tune again."""
    from tasks.member import compute  # noqa: PLC0415  torch takes seconds

    trace = step(case, _MEMBER)
    expected = artifacts_of(trace)["artifact"].digest
    if (why := _unrepeatable(case, trace, MemberJob)) is not None:
        return unknown(why, expected)
    job = job_of(trace, MemberJob)
    starts = [x for x in case.read.steps if x.step == _MEMBER and x.key != trace.key]
    inputs = [job.base, job.data, job.scores, job.curvature]
    inputs += [artifacts_of(x)["artifact"] for x in starts]
    with _aside(case, *(x for x in inputs if x is not None)) as site:
        for start in starts:
            record = MemberRecord.model_validate(start.record)
            site.open_store().commit(start.step, start.key, start.inputs, record)
        found = compute(job, site, case.read.label).artifact.digest
    if found != expected and not _is_same_kind(case):
        return Finding(expected, found, ok=None, why=_made_by(case))
    return compared(expected, found, "fine-tuning gives other bits")


def _unrepeatable(case: Case, trace: StepTrace, kind: type[Job]) -> str | None:
    """Say why a step cannot be computed again here; None: it can."""
    if (why := is_of_this_version(trace, kind)) is not None:
        return why
    job = job_of(trace, kind)
    spec, execution = getattr(job, "spec", None), getattr(job, "execution", None)
    if spec is not None and (why := unbuildable(case, spec)) is not None:
        return why
    if execution is not None and execution.device == "cuda":
        import torch  # noqa: PLC0415  takes seconds

        if not torch.cuda.is_available():
            return "it was computed on an accelerator, and there is none here"
    return None


@contextmanager
def _aside(case: Case, *inputs: Artifact) -> Iterator[Site]:
    """Yield a site whose store holds only ``inputs``; it is gone afterwards."""
    with case.store.scratch() as folder:
        site = Site.at(Workspace.open(folder / "workspace"))
        store = site.open_store()
        for artifact in inputs:
            with store.scratch() as scratch:
                _link(case.store.path(artifact), scratch / "file")
                store.put(scratch / "file")
        yield site


def _link(source: Path, place: Path) -> None:
    try:
        os.link(source, place)
    except OSError:  # another file system
        shutil.copyfile(source, place)


def artifacts_of_record(record: Record) -> dict[str, Artifact]:
    """Return the artifacts of a record by field."""
    return {name: value for name, value in record if isinstance(value, Artifact)}


def _distance(expected: Path, found: Path) -> float:
    """Return how far two files of scores are apart, relative to the norm of the first."""
    from safetensors import safe_open  # noqa: PLC0415  heavy

    if file_digest(expected) == file_digest(found):
        return 0.0
    apart = total = 0.0
    with safe_open(expected, framework="pt") as first, safe_open(found, framework="pt") as second:
        if set(first.keys()) != set(second.keys()):
            return float("inf")
        for name in first.keys():  # noqa: SIM118  not a mapping
            a, b = first.get_tensor(name).double(), second.get_tensor(name).double()
            apart += float((a - b).square().sum())
            total += float(a.square().sum())
    return (apart / total) ** 0.5 if total else float("inf")
