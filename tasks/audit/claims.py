"""What the registry says of a version for the gates of a policy: its loss, and its promotions."""

from mixmatch.records import BaseRecord, MemberRecord
from tasks.audit.case import Case
from tasks.audit.links import Finding, Walk, compared, never_there
from tasks.audit.method import step
from tasks.audit.papers import compared_mappings
from tasks.jobs import BaseJob, MemberJob
from tasks.ledger import read_ledger
from tasks.tracking.deployment import DROP_HIGH_TAG, DROP_MEAN_TAG


def walk_claims(walk: Walk, case: Case) -> None:
    """Check what was added to the version after its lineage was written."""
    if case.version is None:
        return
    figures = (f"{BaseJob.step}/digest", f"{MemberJob.step}/digest")
    walk.check("registry/drop", lambda: _drop(case), needs=figures)
    walk.check("registry/promoted", lambda: _promoted(case), needs=("registry/ledger", "lineage"))


def _drop(case: Case) -> Finding:
    """Compute the loss of validation accuracy again from the images that each got right."""
    from mixmatch.statistics import paired_loss  # noqa: PLC0415  scientific packages are slow

    tags = case.version.tags if case.version is not None else {}
    said = {name: tags[name] for name in (DROP_MEAN_TAG, DROP_HIGH_TAG) if name in tags}
    if not said:
        return never_there("the version does not say what it has lost")
    base = BaseRecord.model_validate(step(case, BaseJob.step).record)
    member = MemberRecord.model_validate(step(case, MemberJob.step).record)
    loss = paired_loss(base.validation, member.validation)
    expected = {DROP_MEAN_TAG: str(loss.difference), DROP_HIGH_TAG: str(loss.high)}
    return compared_mappings(expected, said)


def _promoted(case: Case) -> Finding:
    """Compare the file that the ledger's entries name with that of the version."""
    if case.version is None:
        return never_there("it is not registered")
    name, number = case.version.name, case.version.version
    ledger = case.memo.once("ledger", lambda: read_ledger(case.store))
    named = [
        (f"entry {entry.number}", digest)
        for entry in ledger.entries
        if entry.name == name
        for version, digest in (
            (entry.version, entry.digest),
            *((x.version, x.digest) for x in entry.candidates),
        )
        if version == number
    ]
    own = case.read.subject.digest
    wrong = [f"{entry} {digest}" for entry, digest in named if digest != own]
    if wrong:
        return Finding(", ".join(wrong), own, ok=False, why="another file was promoted")
    told = f"{len({entry for entry, _ in named})} entries name this file"
    return compared(told, told)
