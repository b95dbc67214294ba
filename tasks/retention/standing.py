"""Which versions and runs stay: gathered from MLflow, the ledger and lineages, then judged."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mixmatch.config import Retention
from mixmatch.errors import LineageError, WorkError
from mixmatch.records import Lineage
from mixmatch.retention import RunToJudge, Verdict, VersionToJudge, judge_runs, judge_versions
from tasks.ledger import Ledger, named_versions, read_ledger
from tasks.lineage import LINEAGE_DIGEST_TAG, LINEAGE_FILE, read_statement
from tasks.site import Site
from tasks.tracking.evidence import version_evidence, version_files
from tasks.tracking.holdings import HeldRun, HeldVersion, Holdings

_REGISTERED = "models:/"
_LEDGER_TAG = "ledger."


@dataclass(frozen=True, slots=True)
class Standing:
    """What stays and what goes of versions and runs.

    Attributes:
        versions: the verdict by reference.
        runs: the verdict on every flow's run by its id.
        lineages: of the versions that stay, as far as they can be read, by reference.
        unreadable: versions that stay and were registered with a lineage that cannot be read now.
    """

    versions: Mapping[str, Verdict]
    runs: Mapping[str, Verdict]
    lineages: Mapping[str, Lineage]
    unreadable: tuple[str, ...]

    def keeps(self, run: HeldRun) -> bool:
        """Say whether a run stays; a member's does with that of its flow."""
        verdict = self.runs.get(run.run_id) or self.runs.get(run.parent or "")
        return verdict is not None and verdict.stays


def standing(site: Site, held: Holdings, policy: Retention, now: float) -> Standing:
    """Judge all versions and runs.

    Raises:
        LedgerError: the ledger is damaged: nobody knows what it names.
    """
    ledger = read_ledger(site.open_store())
    ranks = _front_ranks(held)
    judged = [
        VersionToJudge(
            name=x.name,
            version=x.version,
            created=x.created,
            protected=protection(x, ledger),
            front_rank=ranks.get((x.name, x.tags.get("digest", ""))),
        )
        for x in held.versions
    ]
    verdicts = judge_versions(policy, judged, now)
    lineages = {x.reference: _lineage(site, x) for x in held.versions}
    verdicts = _with_sources(verdicts, lineages)
    staying = [x for x in held.versions if verdicts[x.reference].stays]
    kept = {x.reference: lineages[x.reference] for x in staying}
    runs = judge_runs(policy, list(_flows(held)), _makers(held, kept), now)
    return Standing(
        versions=verdicts,
        runs=runs,
        lineages={reference: x for reference, x in kept.items() if x is not None},
        unreadable=tuple(
            x.reference
            for x in staying
            if kept[x.reference] is None and LINEAGE_DIGEST_TAG in x.tags
        ),
    )


def protection(version: HeldVersion, ledger: Ledger) -> str | None:
    """Say what no policy can remove a version from: an alias, the ledger; None: nothing."""
    if version.aliases:
        return f"holds {', '.join(version.aliases)}"
    if version.version in named_versions(ledger, version.name):
        return "named by the ledger"
    # Of a ledger that lies in another store than the one that is looked at.
    if any(tag.startswith(_LEDGER_TAG) for tag in version.tags):
        return "marked by a ledger"
    if not {"digest", "key"} <= version.tags.keys():
        return "not registered by mixmatch"
    return None


def refuse_taken(site: Site, name: str, version: int) -> None:
    """Make sure, just before a version goes, that nothing has come to name it meanwhile.

    Raises:
        WorkError: an alias points at it, or the ledger names it.
    """
    aliases = version_evidence(site, f"{name}/{version}").aliases
    if aliases or version in named_versions(read_ledger(site.open_store()), name):
        raise WorkError(
            f"Version {version} of {name} was to be removed, but an alias or the ledger has come "
            "to name it meanwhile; it stays, and so does what comes after it: run again."
        )


def _front_ranks(held: Holdings) -> dict[tuple[str, str], int]:
    """Return, by model and digest, how recent the newest run is on whose front the network is."""
    names: dict[str, set[str]] = {}
    for version in held.versions:
        names.setdefault(version.tags.get("digest", ""), set()).add(version.name)
    fronts: dict[str, set[str]] = {}
    for run in held.runs:
        if run.parent and run.on_front and run.digest and not run.is_deleted:
            fronts.setdefault(run.parent, set()).add(run.digest)
    flows = sorted((x for x in held.runs if x.run_id in fronts), key=lambda x: -x.started)
    ranks: dict[tuple[str, str], int] = {}
    count: dict[str, int] = {}
    for flow in flows:
        of_flow = {(name, x) for x in fronts[flow.run_id] for name in names.get(x, ())}
        for name in {name for name, _ in of_flow}:
            rank = count.get(name, 0)
            count[name] = rank + 1
            for front in of_flow:
                if front[0] == name:
                    ranks.setdefault(front, rank)
    return ranks


def _flows(held: Holdings) -> Iterator[RunToJudge]:
    """Yield the runs of flows, and members' runs that have lost theirs."""
    known = {x.run_id for x in held.runs}
    for run in held.runs:
        if run.parent is None or run.parent not in known:
            yield RunToJudge(
                run_id=run.run_id,
                experiment=run.experiment,
                started=run.started,
                ended=run.ended,
                is_deleted=run.is_deleted or run.parent is not None,
            )


def _makers(held: Holdings, kept: Mapping[str, Lineage | None]) -> dict[str, str]:
    """Return the runs that made versions that stay, and which."""
    parents = {x.run_id: x.parent or x.run_id for x in held.runs}
    makers: dict[str, str] = {}
    for version in held.versions:
        if version.reference not in kept:
            continue
        lineage = kept[version.reference]
        named = [version.run_id] if lineage is None else [version.run_id, lineage.run.mlflow_run]
        for run in named:
            if run is not None:
                makers.setdefault(parents.get(run, run), version.reference)
    return makers


def _lineage(site: Site, version: HeldVersion) -> Lineage | None:
    """Read what a version was made from; None unless it is what was registered."""
    if LINEAGE_DIGEST_TAG not in version.tags:
        return None  # not ours, so its files need not even be readable by us
    with version_files(site, version.reference) as folder:
        file = folder / LINEAGE_FILE if folder is not None else None
        if file is None or not file.is_file():
            return None
        content = file.read_bytes()
        if hashlib.sha256(content).hexdigest() != version.tags.get(LINEAGE_DIGEST_TAG):
            return None
        try:
            return read_statement(content, f"of {version.reference}")
        except LineageError:
            return None


def _with_sources(
    verdicts: Mapping[str, Verdict], lineages: Mapping[str, Lineage | None]
) -> dict[str, Verdict]:
    """Keep versions from whose weights others that stay were made, and so on."""
    found, todo = dict(verdicts), [x for x, verdict in verdicts.items() if verdict.stays]
    while todo:
        reference = todo.pop()
        lineage = lineages.get(reference)
        source = "" if lineage is None else lineage.source.removeprefix(_REGISTERED)
        if source in found and not found[source].stays:
            found[source] = Verdict(True, f"{reference} was made from it")
            todo.append(source)
    return found
