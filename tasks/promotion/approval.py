"""A person's answer to a request that a promotion left."""

from mixmatch.errors import ArtifactError, PromotionError
from mixmatch.records import LedgerEntry
from tasks.leases import held
from tasks.ledger import Ledger, holder_of, open_request
from tasks.promotion.person import now
from tasks.promotion.settling import alias_state, settle
from tasks.promotion.summary import PromotionSummary
from tasks.promotion.taking import take
from tasks.site import Site
from tasks.tracking import Aliases, download_packed


def approve(
    site: Site, name: str, alias: str, *, by: str, why: str, refuse: bool = False
) -> PromotionSummary:
    """Complete the request that waits, or refuse it.

    What the request was based on must still hold: the holder, and the version's file.

    Args:
        site: registry and store.
        name: registered model.
        alias: that the request wants to move.
        by: who answers.
        why: in that person's words.
        refuse: whether the answer is no; the version then wins no more by itself.

    Raises:
        RegistryError: there is no such model, or the version exists no more.
        PromotionError: no request waits, its ground is gone, or somebody else was faster.
        ArtifactError: the version's file is another by now.
        LedgerError: the ledger is damaged.
    """
    with held(site.open_workspace()):  # so that `gc` does not remove what is approved
        return _answer(site, name, alias, by=by, why=why, refuse=refuse)


def _answer(
    site: Site, name: str, alias: str, *, by: str, why: str, refuse: bool
) -> PromotionSummary:
    store, aliases = site.open_store(), Aliases(site, name)
    settle(store, aliases, alias)
    state = alias_state(store, aliases, alias)
    request = _waiting(state.ledger, name, alias)
    if not refuse:
        _check_file(site, request)
    draft = request.model_copy(
        update={
            "action": "refusal" if refuse else "promotion",
            "found_before": state.found,
            "at": now(),
            "who": by,
            "why": why,
            "request": request.number,
        }
    )
    ledger, entry = take(store, state.ledger, draft)
    if not refuse:
        settle(store, aliases, alias)
    return PromotionSummary(
        outcome="refused" if refuse else "promoted",
        name=name,
        alias=alias,
        version=entry.held_before if refuse else entry.version,
        held_before=entry.held_before,
        entry=entry.number,
        entry_digest=ledger.digest_of(entry),
        policy_digest=entry.policy_digest,
        candidates=entry.candidates,
    )


def _waiting(ledger: Ledger, name: str, alias: str) -> LedgerEntry:
    request = open_request(ledger, name, alias)
    if request is None:
        raise PromotionError(
            f"A request must wait for the alias {alias} of {name} to be approved, found none; "
            "`mixmatch promote` with a policy that needs approval leaves one."
        )
    if holder_of(ledger, name, alias) != request.held_before:
        raise PromotionError(
            f"Request {request.number} on the alias {alias} of {name} must still find version "
            f"{request.held_before} as its holder; promote again."
        )
    return request


def _check_file(site: Site, request: LedgerEntry) -> None:
    with site.open_store().scratch() as folder:
        found = download_packed(site, f"{request.name}/{request.version}", folder).digest
    if found != request.digest:
        raise ArtifactError(
            f"The file of {request.name}, version {request.version}, must be the one that was "
            f"requested, {request.digest}, found {found}; promote again."
        )
