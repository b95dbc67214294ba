"""Promote by policy: judge, evaluate the winner again, take the ledger's next entry, move."""

from contextlib import nullcontext
from typing import TypeVar

from mixmatch.config import Policy
from mixmatch.records import Candidate, LedgerEntry, Record, VersionFacts
from tasks.leases import held
from tasks.ledger import open_request
from tasks.promotion.deciding import decide, nearest_sentence
from tasks.promotion.judges import Judges
from tasks.promotion.person import now
from tasks.promotion.settling import AliasState, alias_state, settle
from tasks.promotion.summary import PromotionSummary, Reevaluation
from tasks.promotion.taking import take
from tasks.site import Site
from tasks.tracking import Aliases

R = TypeVar("R", bound=Record)


def promote(
    site: Site,
    name: str,
    policy: Policy,
    *,
    by: str,
    judges: Judges,
    factory: str | None = None,
    dry_run: bool = False,
) -> PromotionSummary:
    """Let the version that the policy prefers hold the policy's alias.

    Args:
        site: registry and store; the store holds the ledger.
        name: registered model.
        policy: the demands.
        by: who asks.
        judges: who answers what figures cannot.
        factory: as ``reevaluate``.
        dry_run: change nothing, and return what would have been.

    Raises:
        RegistryError: there is no such model.
        PromotionError: no version can be judged, the winner's figures are not the recorded ones, or
            somebody else was faster.
        ArtifactError: the winner cannot be evaluated again.
        LedgerError: the ledger is damaged.
    """
    # What is chosen must not be removed by `gc` before the alias protects it.
    with nullcontext() if dry_run else held(site.open_workspace()):
        return _promote(site, name, policy, by, judges, factory=factory, dry_run=dry_run)


def _promote(
    site: Site,
    name: str,
    policy: Policy,
    by: str,
    judges: Judges,
    *,
    factory: str | None,
    dry_run: bool,
) -> PromotionSummary:
    aliases = Aliases(site, name)
    state, warnings = _begin(site, aliases, policy.alias, dry_run=dry_run)
    holder = state.found if state.state == "outside" else state.held
    decision = decide(site, name, policy, state.ledger, holder=holder, judges=judges)
    summary = PromotionSummary(
        outcome="nothing",
        name=name,
        alias=policy.alias,
        version=None,
        held_before=holder,
        policy_digest=policy.digest,
        candidates=decision.candidates,
        warnings=(*warnings, *decision.warnings),
        dry_run=dry_run,
    )
    winner = decision.winner
    if winner is None:
        return _with(summary, nearest=nearest_sentence(name, decision.candidates))
    if state.held == state.found == winner.version:
        return _with(summary, outcome="unchanged", version=winner.version)
    waiting = open_request(state.ledger, name, policy.alias)
    if _asks_for(waiting, policy, winner.version):
        return _with(summary, outcome="pending", version=winner.version)
    again = _evaluated(site, name, winner, factory)
    outcome = "requested" if policy.needs_approval else "promoted"
    summary = _with(summary, outcome=outcome, version=winner.version, reevaluated=again)
    if dry_run:
        return summary
    draft = _draft(name, policy, winner, decision.candidates, state, by=by)
    ledger, entry = take(site.open_store(), state.ledger, draft)
    if entry.action == "promotion":
        settle(site.open_store(), aliases, policy.alias)
    return _with(summary, entry=entry.number, entry_digest=ledger.digest_of(entry))


def _begin(
    site: Site, aliases: Aliases, alias: str, *, dry_run: bool
) -> tuple[AliasState, tuple[str, ...]]:
    """Find out what holds, and complete what a killed command left behind."""
    store = site.open_store()
    state = alias_state(store, aliases, alias)
    sentence = state.sentence(aliases.name, alias)
    if state.state == "behind" and not dry_run:
        settle(store, aliases, alias)
        state = alias_state(store, aliases, alias)
        sentence = f"{sentence} It was completed now." if sentence else None
    return state, (sentence,) if sentence else ()


def _evaluated(site: Site, name: str, winner: VersionFacts, factory: str | None) -> Reevaluation:
    from tasks.promotion.reevaluation import reevaluate  # noqa: PLC0415  torch takes seconds

    return reevaluate(site, name, winner, factory=factory)


def _asks_for(request: LedgerEntry | None, policy: Policy, version: int) -> bool:
    """Say whether a waiting request is the one that this promotion would leave."""
    if request is None or not policy.needs_approval:
        return False
    return (request.version, request.policy_digest) == (version, policy.digest)


def _draft(
    name: str,
    policy: Policy,
    winner: VersionFacts,
    candidates: tuple[Candidate, ...],
    state: AliasState,
    *,
    by: str,
) -> LedgerEntry:
    num_passed = sum(one.passes for one in candidates)
    return LedgerEntry(
        number=0,
        before=None,
        action="request" if policy.needs_approval else "promotion",
        name=name,
        alias=policy.alias,
        version=winner.version,
        digest=winner.digest,
        held_before=state.held,
        found_before=state.found,
        at=now(),
        who=by,
        why=f"{policy.prefer} of {num_passed} that pass, of {len(candidates)}",
        policy_digest=policy.digest,
        policy=policy.model_dump(mode="json"),
        candidates=candidates,
    )


def _with(record: R, **changes: object) -> R:
    return record.model_copy(update=changes)
