"""Audits of one version, of all, of a file; and what promotion and restoring ask of them."""

import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from mixmatch.digests import file_digest
from mixmatch.errors import InputError, LineageError
from mixmatch.records import Lineage, Verdict
from tasks.audit.asked import walk_asked
from tasks.audit.case import Case, Memo
from tasks.audit.chain import walk_chain
from tasks.audit.claims import walk_claims
from tasks.audit.deep import walk_deep
from tasks.audit.links import Audit, Finding, VersionAudit, Walk, unknown
from tasks.audit.method import walk_method
from tasks.audit.origins import walk_origins
from tasks.audit.papers import content_of, vouches, walk_lineage, walk_papers
from tasks.lineage import LINEAGE_FILE, read_statement
from tasks.site import Site
from tasks.tracking.evidence import (
    VersionEvidence,
    all_versions,
    version_evidence,
    version_files,
    versions_named,
    versions_with,
)

PACKED_FILE = "network.packed"


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is recomputed.

    Attributes:
        deep: sensitivity from base and data, and both accuracies of the packed file, again.
        rerun: fine-tuning again with the recorded seed and settings.
        factory: the one factory of a user's own that may be imported; None: none.
    """

    deep: bool = False
    rerun: bool = False
    factory: str | None = None


_PLAIN = Extent()


def audit_model(site: Site, reference: str, extent: Extent = _PLAIN) -> Audit:
    """Audit one version, or all of a model.

    Args:
        site: where registry and store are.
        reference: ``NAME@alias`` or ``NAME/version``; ``NAME`` is all its versions.
        extent: how much is recomputed.

    Raises:
        RegistryError: there is no such model, alias or version.
    """
    found = version_evidence(site, reference)
    whole = "@" not in reference and "/" not in reference
    return _audit(site, versions_named(site, found.name) if whole else (found,), extent)


def audit_all(site: Site, extent: Extent = _PLAIN) -> Audit:
    """Audit every version of every registered model."""
    return _audit(site, all_versions(site), extent)


def audit_file(site: Site, file: Path, extent: Extent = _PLAIN) -> Audit:
    """Audit a packed file on disk by the lineage of the version that has its digest.

    Raises:
        InputError: there is no such file.
    """
    started = time.monotonic()
    if not file.is_file():
        raise InputError(f"A packed file to audit must exist, got {file}.")
    digest = file_digest(file)
    known = versions_with(site, digest)
    if not known:
        walk = Walk()
        stranger = Finding("a registered version", digest, ok=False, why="nobody registered it")
        walk.check("registry/file", lambda: stranger)
        return Audit.of([walk.result(file.name)], time.monotonic() - started)
    return _audit(site, known[:1], extent, packed=file)


def verdict_of(site: Site, reference: str, *, factory: str | None = None) -> Verdict:
    """Say whether every link of a version holds, its file among them, and what evidence is gone.

    Args:
        site: where registry and store are.
        reference: ``NAME/version``.
        factory: as of ``Extent``.
    """
    (found,) = audit_model(site, reference, Extent(factory=factory)).versions
    return Verdict(ok=found.ok, missing=tuple(link.name for link in found.missing))


def signature_of(site: Site, reference: str) -> bool:
    """Say whether a version's lineage is signed by the configured key and is of this version.

    It must speak of the file that is registered, and of the model in which it is.

    Raises:
        RegistryError: there is no such version.
        LineageError: the public key cannot be read.
    """
    version = version_evidence(site, reference)
    with version_files(site, version.reference) as folder:
        case = _case(site, version, folder, Memo(), factory=None, packed=None)
        return vouches(case)


def checked_lineage(site: Site, reference: str) -> Lineage:
    """Return a version's lineage if the registry bears it out.

    Its digest is the one that the registry states, it is signed where a public key is configured,
    and it was written for the model in which it is registered.

    Raises:
        RegistryError: there is no such version.
        LineageError: there is no lineage, or one of these does not hold.
    """
    version = version_evidence(site, reference)
    walk = Walk()
    with version_files(site, version.reference) as folder:
        case = _case(site, version, folder, Memo(), factory=None, packed=None)
        walk_lineage(walk, case)
    broken = next((link for link in walk.links.values() if link.ok is False), None)
    if broken is not None:
        why = f" ({broken.why.rstrip('.')})" if broken.why else ""
        raise LineageError(
            f"The link {broken.name} of {version.reference} must hold: expected {broken.expected}, "
            f"found {broken.found or 'nothing'}{why}."
        )
    return case.read


def _audit(
    site: Site, versions: Iterable[VersionEvidence], extent: Extent, packed: Path | None = None
) -> Audit:
    started, memo = time.monotonic(), Memo()
    found: list[VersionAudit] = []
    for version in versions:
        with ExitStack() as stack:
            walk = Walk()
            folder = stack.enter_context(version_files(site, version.reference))
            case = _case(site, version, folder, memo, factory=extent.factory, packed=packed)
            walk_papers(walk, case)
            if walk.holds("lineage") and case.lineage is not None:
                walk_chain(walk, case)
                walk_origins(walk, case)
                walk_asked(walk, case)
                walk_method(walk, case)
                walk_claims(walk, case)
                walk_deep(walk, case, deep=extent.deep, rerun=extent.rerun)
            else:
                walk.check("steps", lambda: unknown("all other links"), needs=("lineage",))
            found.append(walk.result(version.reference))
    return Audit.of(found, time.monotonic() - started)


def _case(
    site: Site,
    version: VersionEvidence,
    folder: Path | None,
    memo: Memo,
    *,
    factory: str | None,
    packed: Path | None,
) -> Case:
    case = Case(
        site=site,
        version=version,
        folder=folder,
        packed=packed if packed is not None or folder is None else folder / PACKED_FILE,
        lineage=None,
        factory=factory,
        memo=memo,
    )
    return replace(case, lineage=_read(case))


def _read(case: Case) -> Lineage | None:
    """Return the lineage, or None where the link ``lineage`` is going to say why not."""
    content = content_of(case, LINEAGE_FILE)
    try:
        return read_statement(content, LINEAGE_FILE) if content is not None else None
    except LineageError:
        return None
