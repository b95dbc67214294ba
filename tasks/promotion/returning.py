"""Back to the holder before, recorded like every other change."""

from mixmatch.errors import ArtifactError, PromotionError
from mixmatch.records import LedgerEntry
from tasks.leases import held
from tasks.ledger import Ledger, history, previous_holder
from tasks.promotion.person import now
from tasks.promotion.settling import alias_state, settle
from tasks.promotion.summary import PromotionSummary
from tasks.promotion.taking import take
from tasks.site import Site
from tasks.tracking import Aliases, download_packed

_COMPLETED = "A rollback that was recorded before was completed; no other was added."


def rollback(site: Site, name: str, alias: str, *, by: str, why: str) -> PromotionSummary:
    """Return the alias to the version that held it before; again, and it goes further back.

    One that was recorded, but not carried out because its command was killed, is completed instead.
    The version that is left wins no more by itself, unless a policy says ``may_return``.

    Args:
        site: registry and store.
        name: registered model.
        alias: that is moved.
        by: who asks.
        why: in that person's words.

    Raises:
        RegistryError: there is no such model, or the version before exists no more.
        PromotionError: nobody held it before, or somebody else was faster.
        ArtifactError: the file of the version before is not the one that once was promoted.
        LedgerError: the ledger is damaged.
    """
    with held(site.open_workspace()):  # so that `gc` does not remove what is returned to
        return _return(site, name, alias, by=by, why=why)


def _return(site: Site, name: str, alias: str, *, by: str, why: str) -> PromotionSummary:
    store, aliases = site.open_store(), Aliases(site, name)
    state = alias_state(store, aliases, alias)
    if state.state == "behind" and state.entry is not None and state.entry.action == "rollback":
        settle(store, aliases, alias)
        return _summary(state.entry, state.ledger, (state.sentence(name, alias), _COMPLETED))
    version = previous_holder(state.ledger, name, alias)
    if version is None:
        raise PromotionError(
            f"The alias {alias} of {name} must have had a holder before to be rolled back, and the "
            f"ledger knows of {'none' if state.held is None else f'only version {state.held}'}."
        )
    draft = LedgerEntry(
        number=0,
        before=None,
        action="rollback",
        name=name,
        alias=alias,
        version=version,
        digest=_checked_digest(site, state.ledger, name, alias, version),
        held_before=state.held,
        found_before=state.found,
        at=now(),
        who=by,
        why=why,
    )
    ledger, entry = take(store, state.ledger, draft)
    settle(store, aliases, alias)
    return _summary(entry, ledger, (state.sentence(name, alias),))


def _summary(
    entry: LedgerEntry, ledger: Ledger, sentences: tuple[str | None, ...]
) -> PromotionSummary:
    return PromotionSummary(
        outcome="rolled_back",
        name=entry.name,
        alias=entry.alias,
        version=entry.version,
        held_before=entry.held_before,
        entry=entry.number,
        entry_digest=ledger.digest_of(entry),
        warnings=tuple(x for x in sentences if x),
    )


def _checked_digest(site: Site, ledger: Ledger, name: str, alias: str, version: int) -> str:
    """Return the digest of the version's file, which must be the one that was promoted."""
    with site.open_store().scratch() as folder:
        found = download_packed(site, f"{name}/{version}", folder).digest
    promoted = [x.digest for x in history(ledger, name, alias) if x.version == version]
    if promoted and promoted[-1] != found:
        raise ArtifactError(
            f"The file of {name}, version {version}, must be the one that was promoted, "
            f"{promoted[-1]}, found {found}."
        )
    return found
