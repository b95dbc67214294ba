"""What the entries come to: who holds an alias, who held it before, what waits, what went back."""

from collections.abc import Iterable

from mixmatch.records import LedgerEntry
from tasks.ledger.chain import MOVES, Ledger


def history(ledger: Ledger, name: str, alias: str) -> tuple[LedgerEntry, ...]:
    """Return all entries on one alias of one model, from the first to the last."""
    return tuple(x for x in ledger.entries if (x.name, x.alias) == (name, alias))


def last_move(ledger: Ledger, name: str, alias: str) -> LedgerEntry | None:
    """Return the entry that moved the alias last; None: none ever did."""
    return next((x for x in reversed(history(ledger, name, alias)) if x.action in MOVES), None)


def holder_of(ledger: Ledger, name: str, alias: str) -> int | None:
    """Return the version that holds the alias; None: nobody, as far as the ledger knows."""
    move = last_move(ledger, name, alias)
    return move.version if move else None


def previous_holder(ledger: Ledger, name: str, alias: str) -> int | None:
    """Return the version that a rollback returns to; None: there is none.

    Rollbacks go further back one by one: after one, the version before that comes next.
    """
    holders = _holders(history(ledger, name, alias))
    return holders[-2] if len(holders) > 1 else None


def open_request(ledger: Ledger, name: str, alias: str) -> LedgerEntry | None:
    """Return the request that waits for a person; None: whatever came last is no request."""
    entries = history(ledger, name, alias)
    return entries[-1] if entries and entries[-1].action == "request" else None


def returned(ledger: Ledger, name: str, alias: str) -> dict[int, str]:
    """Say of which versions people wanted no more, and why, until a later promotion took them."""
    found: dict[int, str] = {}
    for entry in history(ledger, name, alias):
        if entry.action == "rollback" and entry.held_before is not None:
            found[entry.held_before] = f"rolled back by entry {entry.number}"
        if entry.action == "refusal":
            found[entry.version] = f"refused by entry {entry.number}"
        if entry.action in MOVES:
            found.pop(entry.version, None)
    return found


def named_versions(ledger: Ledger, name: str) -> frozenset[int]:
    """Return every version of a model that some entry names as a holder, past or wanted."""
    found: set[int] = set()
    for entry in ledger.entries:
        if entry.name == name:
            held = (entry.version, entry.held_before, entry.found_before)
            found |= {version for version in held if version is not None}
    return frozenset(found)


def _holders(entries: Iterable[LedgerEntry]) -> list[int]:
    """Return who held the alias as a pile: a promotion adds to it, a rollback takes away."""
    pile: list[int] = []
    for entry in entries:
        if not pile and entry.action == "promotion" and entry.found_before is not None:
            pile.append(entry.found_before)  # set by hand, before there was a ledger
        if entry.action == "rollback":
            pile = pile[:-1]
        if entry.action in MOVES and pile[-1:] != [entry.version]:
            pile.append(entry.version)
    return pile
