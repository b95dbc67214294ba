"""Take the next entry of the ledger, or learn that somebody else moved the same alias."""

from mixmatch.errors import PromotionError
from mixmatch.records import LedgerEntry
from tasks.ledger import Ledger, append, history, read_ledger
from tasks.store import Store


def take(store: Store, seen: Ledger, draft: LedgerEntry) -> tuple[Ledger, LedgerEntry]:
    """Add an entry that follows from ``seen``.

    Entries of other models and aliases that came meanwhile are no hindrance.

    Args:
        store: where the ledger is.
        seen: as it was when the decision was made.
        draft: the entry; its number and the digest before it are set.

    Returns:
        The ledger with the entry, and the entry.

    Raises:
        PromotionError: somebody else wrote an entry on the same alias since; nothing was written.
        LedgerError: the ledger is damaged.
    """
    ledger = seen
    while True:
        refuse_if_overtaken(seen, ledger, draft)
        longer = append(store, ledger, draft)
        if longer is not None:
            return longer, longer.entries[-1]
        ledger = read_ledger(store)


def refuse_if_overtaken(seen: Ledger, ledger: Ledger, draft: LedgerEntry) -> None:
    """Refuse if ``ledger`` has an entry on the draft's alias that ``seen`` has not."""
    since = history(ledger, draft.name, draft.alias)[len(history(seen, draft.name, draft.alias)) :]
    if since:
        first = since[0]
        raise PromotionError(
            f"The alias {draft.alias} of {draft.name} must not change while a decision is made, "
            f"but {first.who} was first with entry {first.number} of the ledger ({first.action}, "
            f"version {first.version}, {first.at}); nothing was changed by this one."
        )
