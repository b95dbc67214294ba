"""What of the store the versions and runs that stay need: records, and the files that they name."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from mixmatch.records import Artifact
from tasks.jobs import MemberJob
from tasks.lineage import StepKey
from tasks.lineage.kept import artifacts_in
from tasks.store import Entry, Envelope, Store

RECORDS, OBJECTS = "records/", "objects/"


@dataclass(slots=True)
class Needs:
    """What must stay.

    Attributes:
        records: step and key of each.
        digests: of the files.
    """

    records: set[StepKey] = field(default_factory=set)
    digests: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Shelf:
    """All records of a store, read once.

    Attributes:
        entries: where each lies, by step and key.
        envelopes: what each says; one that cannot be read is absent.
    """

    entries: Mapping[StepKey, Entry]
    envelopes: Mapping[StepKey, Envelope]


def read_shelf(store: Store) -> Shelf:
    """Read every record of ``store``."""
    entries: dict[StepKey, Entry] = {}
    envelopes: dict[StepKey, Envelope] = {}
    for entry in store.entries(RECORDS):
        parts = entry.name.removesuffix(".json").split("/")
        if len(parts) != 3:
            continue
        step = (parts[1], parts[2])
        entries[step] = entry
        if (envelope := store.envelope(*step)) is not None:
            envelopes[step] = envelope
    return Shelf(entries, envelopes)


def mark(shelf: Shelf, roots: Iterable[StepKey], digests: Iterable[str]) -> Needs:
    """Mark all that ``roots`` need: files that they read or wrote, and who wrote those.

    Args:
        shelf: all records.
        roots: steps that stay; those that are not there are passed over.
        digests: of files that stay.
    """
    makers: dict[str, list[StepKey]] = {}
    for step, envelope in shelf.envelopes.items():
        for artifact in artifacts_in(envelope.record):
            makers.setdefault(artifact.digest, []).append(step)
    needs, todo = Needs(), list(roots)
    new = set(digests)
    while todo or new:
        needs.digests |= new
        todo += [maker for digest in new for maker in makers.get(digest, ())]
        new = set()
        while todo:
            step = todo.pop()
            if step in needs.records:
                continue
            needs.records.add(step)
            if (found := shelf.envelopes.get(step)) is not None:
                new |= {x.digest for x in _artifacts(found)} - needs.digests
                start = found.inputs.get("start")
                todo += [(MemberJob.step, start)] if isinstance(start, str) else []
    return needs


def _artifacts(envelope: Envelope) -> Iterator[Artifact]:
    yield from artifacts_in(envelope.inputs)
    yield from artifacts_in(envelope.record)
