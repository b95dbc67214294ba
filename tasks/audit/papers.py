"""What the registry holds of a version: its lineage, signature, tags, packed file, alias."""

import hashlib
import json
from collections.abc import Mapping
from functools import partial

from mixmatch.errors import LedgerError
from mixmatch.records import MemberRecord, Result
from tasks.audit.case import Case
from tasks.audit.links import Finding, Walk, compared, never_there, unknown
from tasks.ledger import read_ledger
from tasks.lineage import LINEAGE_DIGEST_TAG, LINEAGE_FILE, SIGNATURE_FILE, read_statement
from tasks.promotion.settling import alias_state
from tasks.signing import PUBLIC_VARIABLE, configured_public_key, is_signed
from tasks.tracking import MOST_ACCURATE, SMALLEST, Aliases
from tasks.tracking.registry import version_tags
from tasks.tracking.results import result_metrics

# A run moves these by itself, and they are in no ledger.
_MOVED_BY_RUNS = (MOST_ACCURATE, SMALLEST)


def walk_papers(walk: Walk, case: Case) -> None:
    """Check what lies in the registry, the lineage first."""
    walk_lineage(walk, case)
    walk.check("registry/file", lambda: _file(case, trusted=walk.holds("lineage")))
    if case.version is None:
        return
    walk.check("registry/tags", lambda: _tags(case), needs=("lineage",))
    walk.check("registry/ledger", lambda: _ledger(case))
    for alias in _aliases(case):
        walk.check(
            f"registry/alias {alias}", partial(_alias, case, alias), needs=("registry/ledger",)
        )


def walk_lineage(walk: Walk, case: Case) -> None:
    """Check the lineage itself: its digest, its signature, and the model that it is of."""
    walk.check("lineage", lambda: _lineage(case))
    walk.check("lineage/signature", lambda: signature(case))
    if case.version is not None:
        walk.check("registry/name", lambda: _name(case), needs=("lineage",))


def vouches(case: Case) -> bool:
    """Say whether the lineage is signed, and speaks of this very file under this very name.

    Otherwise a lineage that somebody signed could lie beside any file, and in any model.

    Raises:
        LineageError: the public key cannot be read.
    """
    if signature(case).ok is not True:
        return False
    walk = Walk()
    walk_lineage(walk, case)
    walk.check("registry/file", lambda: _file(case, trusted=walk.holds("lineage")))
    return all(link.ok is True for link in walk.links.values())


def signature(case: Case) -> Finding:
    """Check the lineage's signature by the configured public key."""
    key = configured_public_key()
    content = content_of(case, LINEAGE_FILE)
    found = content_of(case, SIGNATURE_FILE)
    if key is None:
        return never_there(f"no public key is configured, see {PUBLIC_VARIABLE}")
    if content is None or found is None:
        return Finding("a signature", None, ok=False, why="the lineage is not signed")
    ok = is_signed(content, found, key)
    return Finding("a valid signature", "a valid signature" if ok else "another", ok=ok)


def content_of(case: Case, name: str) -> bytes | None:
    """Return one of the files beside the packed one; None where it is not there."""
    place = case.folder / name if case.folder is not None else None
    return place.read_bytes() if place is not None and place.is_file() else None


def _lineage(case: Case) -> Finding:
    """Compare the lineage file with its digest in the registry, and with itself."""
    content = content_of(case, LINEAGE_FILE)
    found = None if content is None else hashlib.sha256(content).hexdigest()
    expected = case.version.tags.get(LINEAGE_DIGEST_TAG) if case.version is not None else found
    if expected is None or content is None or expected != found:
        missing = "the version has no lineage" if content is None else None
        return Finding(expected or "a digest", found, ok=False, why=missing)
    read_statement(content, LINEAGE_FILE)  # raises where it contradicts itself
    return compared(expected, found)


def _file(case: Case, *, trusted: bool) -> Finding:
    """Compare the packed file with the subject of the lineage, or else with the version's tag."""
    tags = case.version.tags if case.version is not None else {}
    lineage = case.lineage if trusted else None
    expected = lineage.subject.digest if lineage is not None else tags.get("digest")
    if case.packed is None or not case.packed.is_file():
        return Finding(expected, None, ok=False, why="the packed file is not there")
    found = compared(expected, case.digest_of(case.packed))
    if not found.ok or lineage is None:
        return found
    size = case.packed.stat().st_size
    said = lineage.subject.size_bytes
    return found if size == said else compared(f"{said} bytes", f"{size} bytes")


def _name(case: Case) -> Finding:
    """Compare the model in which the version is registered with the one of its lineage."""
    found = case.version.name if case.version is not None else None
    return compared(case.read.name, found, "the lineage was written for another model")


def _tags(case: Case) -> Finding:
    """Compare the version's tags with those that the lineage says it was given."""
    said = case.version.tags if case.version is not None else {}
    return compared_mappings(case.read.tags, said)


def _ledger(case: Case) -> Finding:
    try:
        ledger = case.memo.once("ledger", lambda: read_ledger(case.store))
    except LedgerError as error:
        return Finding("a chain without gaps", "damaged", ok=False, why=str(error))
    whole = f"{len(ledger.entries)} entries, each naming the one before"
    return compared(whole, whole)


def _aliases(case: Case) -> tuple[str, ...]:
    """List the aliases that point at the version, or that the ledger says do."""
    if case.version is None:
        return ()
    name, number = case.version.name, case.version.version
    found = set(case.version.aliases)
    try:
        ledger = case.memo.once("ledger", lambda: read_ledger(case.store))
    except LedgerError:
        return tuple(sorted(found - {*_MOVED_BY_RUNS}))
    found |= {x.alias for x in ledger.entries if x.name == name and x.version == number}
    return tuple(sorted(found - {*_MOVED_BY_RUNS}))


def _alias(case: Case, alias: str) -> Finding:
    """Compare an alias with the ledger's last entry on it."""
    name = case.version.name if case.version is not None else ""

    def look() -> Finding:
        state = alias_state(case.store, Aliases(case.site, name), alias)
        if state.state == "outside":
            return unknown("it was set without the ledger, which has no entry on it", state.found)
        return compared(
            f"version {state.held}", f"version {state.found}", state.sentence(name, alias)
        )

    return case.memo.once(("alias", name, alias), look)


def result_of(case: Case) -> Result:
    """Return what was registered, put together from the lineage alone."""
    lineage = case.read
    member, base = lineage.step("member"), lineage.step("base")
    record = MemberRecord.model_validate(member.record if member else {})
    strategy, criterion, seed = lineage.label.split("/")
    dense = base.record["test"] if base else {}
    value = float(dense["value"]) if isinstance(dense, dict) else 0.0
    return Result(
        strategy=strategy,
        also=tuple(json.loads(lineage.tags.get("also", "[]"))),
        criterion=criterion,
        seed=int(seed),
        member=record,
        accuracy_drop=value - record.test.value,
        cached=False,
        on_front=True,
        mean_validation=record.validation.value,
        front_share=0.0,
        key=member.key if member else "",
    )


def stated_by_record(case: Case) -> Finding:
    """Compare what the lineage says in tags and figures with the member's own record."""
    result = result_of(case)
    expected = {**version_tags(result), **_as_text(result_metrics(result))}
    said = {**case.read.tags, **_as_text(case.read.figures)}
    return compared_mappings(expected, said)


def compared_mappings(expected: Mapping[str, str], found: Mapping[str, str]) -> Finding:
    """Compare by the keys of ``expected``; what differs is shown, else a number of facts."""
    wrong = [key for key, value in expected.items() if found.get(key) != value]
    if not wrong:
        return compared(f"{len(expected)} facts", f"{len(expected)} facts")
    return Finding(
        ", ".join(f"{key} {expected[key]}" for key in wrong),
        ", ".join(f"{key} {found.get(key, 'missing')}" for key in wrong),
        ok=False,
    )


def _as_text(figures: Mapping[str, float]) -> dict[str, str]:
    return {f"metric {name}": repr(float(value)) for name, value in figures.items()}
