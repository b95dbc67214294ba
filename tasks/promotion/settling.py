"""The registry's alias follows the ledger: completed where it lags, reported where it was moved."""

import json
import sys
from dataclasses import dataclass
from typing import Literal

from mixmatch.errors import LedgerError, RegistryError, ServiceError
from mixmatch.records import LedgerEntry
from tasks.ledger import Ledger, last_move, read_ledger
from tasks.store import Store
from tasks.tracking import Aliases

_MAX_TURNS = 50
_DELETED = (sys.maxsize, "")  # the mark of a version that exists no more


@dataclass(frozen=True, slots=True)
class AliasState:
    """An alias in the registry beside what the ledger says of it.

    Attributes:
        state: ``agrees``; ``behind``: the last entry was not carried out, a command was killed;
            ``moved``: it was carried out, and somebody moved the alias past the ledger;
            ``outside``: the alias was set though the ledger has no entry on it.
        held: version that holds it by the ledger; None: nobody.
        found: version that the registry has; None: none.
        entry: the last that moved the alias; None: none did.
        ledger: of which all this is true.
    """

    state: Literal["agrees", "behind", "moved", "outside"]
    held: int | None
    found: int | None
    entry: LedgerEntry | None
    ledger: Ledger

    def sentence(self, name: str, alias: str) -> str | None:
        """Say what is not as the ledger has it; None: all is."""
        if self.state == "agrees" or (self.state == "behind" and self.held == self.found):
            return None
        now = "no version" if self.found is None else f"version {self.found}"
        if self.state == "outside":
            return f"The alias {alias} of {name} was set to {now} without the ledger."
        number = self.entry.number if self.entry else None
        what = (
            "was moved past the ledger, by whom it cannot say"
            if self.state == "moved"
            else "was not carried out yet"
        )
        return (
            f"The alias {alias} of {name} must be at version {self.held} by entry {number} of the "
            f"ledger, and is at {now}: it {what}."
        )


def alias_state(store: Store, aliases: Aliases, alias: str) -> AliasState:
    """Compare one alias with the ledger; changes nothing.

    Raises:
        LedgerError: the version's tag names another entry, or digest of it, than the ledger holds:
            the ledger was changed or cut off afterwards, or lies in another store.
        ServiceError: others move the alias all the time.
    """
    for _ in range(_MAX_TURNS):
        entry = last_move(read_ledger(store), aliases.name, alias)
        found = aliases.version_of(alias)
        mark = _mark_of(aliases, entry.version, alias) if entry else None
        stray = None if entry and found == entry.version else _mark_of(aliases, found, alias)
        after = read_ledger(store)  # what was read in between belongs to one state of the ledger
        if entry == last_move(after, aliases.name, alias):
            if stray is not None and stray != _DELETED and stray[0] > _last_number(entry, after):
                raise _without_entry(store, aliases, alias, stray[0])
            return _state(after, entry, found, mark)
    raise _restless(aliases, alias)


def settle(store: Store, aliases: Aliases, alias: str) -> None:
    """Let the alias point where the ledger's last entry says, and mark the version with it.

    Without a lock: whoever writes the alias reads the ledger again afterwards, and writes again if
    an entry has come meanwhile, so that the last writer always wrote the last entry's version.

    Raises:
        RegistryError: the version that must hold it exists no more.
        ServiceError: the registry or the ledger does not come to rest.
    """
    for _ in range(_MAX_TURNS):
        ledger = read_ledger(store)
        entry = last_move(ledger, aliases.name, alias)
        if entry is None:
            return
        if aliases.version_of(alias) != entry.version:
            aliases.point(alias, entry.version)
            continue  # to read the ledger again
        mark = _mark_of(aliases, entry.version, alias)
        if mark is not None and mark[0] >= entry.number:
            return
        aliases.tag(entry.version, _tag(alias), _mark(ledger, entry))
    raise _restless(aliases, alias)


def marked_digest(tags: dict[str, str], alias: str) -> tuple[int, str] | None:
    """Return number and digest of the entry that a version's tag names; None: there is no tag.

    Raises:
        LedgerError: the tag is damaged.
    """
    if _tag(alias) not in tags:
        return None
    try:
        mark = json.loads(tags[_tag(alias)])
        return int(mark["entry"]), str(mark["digest"])
    except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise LedgerError(
            f"The tag {_tag(alias)} of a version must name an entry of the ledger, got "
            f"{tags[_tag(alias)][:80]!r}."
        ) from error


def _tag(alias: str) -> str:
    return f"ledger.{alias}"


def _mark(ledger: Ledger, entry: LedgerEntry) -> str:
    """Say on the version what the entry says, as far as people look for it there."""
    one = next((x for x in entry.candidates if x.version == entry.version), None)
    figures = one.model_dump(mode="json", exclude={"gates", "version"}) if one else None
    mark = {
        "entry": entry.number,
        "digest": ledger.digest_of(entry),
        "action": entry.action,
        "at": entry.at,
        "who": entry.who,
        "why": entry.why,
        "held_before": entry.held_before,
        "policy_digest": entry.policy_digest,
        "num_candidates": len(entry.candidates),
        "num_passed": sum(x.passes for x in entry.candidates),
        "figures": figures,
    }
    return json.dumps(mark)


def _mark_of(aliases: Aliases, version: int | None, alias: str) -> tuple[int, str] | None:
    """Return the entry that the holder is marked with; one that is deleted has carried it out."""
    if version is None:
        return None
    try:
        return marked_digest(aliases.tags_of(version), alias)
    except RegistryError:
        return _DELETED


def _state(
    ledger: Ledger, entry: LedgerEntry | None, found: int | None, mark: tuple[int, str] | None
) -> AliasState:
    if entry is None:
        return AliasState("agrees" if found is None else "outside", None, found, None, ledger)
    is_marked = mark is not None and mark[0] >= entry.number
    if mark not in (None, _DELETED) and is_marked:
        _check_mark(ledger, entry, mark)
    carried_out: Literal["agrees", "moved"] = "agrees" if found == entry.version else "moved"
    state = carried_out if is_marked else "behind"
    return AliasState(state, entry.version, found, entry, ledger)


def _check_mark(ledger: Ledger, entry: LedgerEntry, mark: tuple[int, str]) -> None:
    expected = (entry.number, ledger.digest_of(entry))
    if mark != expected:
        raise LedgerError(
            f"Version {entry.version} of {entry.name} must be marked with the last entry that "
            f"moved {entry.alias} to it, {expected[0]} with digest {expected[1]}, and is marked "
            f"with {mark[0]} and {mark[1]}: the ledger was changed or cut off afterwards."
        )


def _last_number(entry: LedgerEntry | None, ledger: Ledger) -> int:
    """Return the greatest number that a version may be marked with."""
    return 0 if entry is None else len(ledger.entries)


def _without_entry(store: Store, aliases: Aliases, alias: str, number: int) -> LedgerError:
    return LedgerError(
        f"The ledger in {store.address} must hold entry {number} on the alias {alias} of "
        f"{aliases.name}, with which the version that has the alias is marked, and does not: it "
        "lies in another store, which --store names, or was cut off."
    )


def _restless(aliases: Aliases, alias: str) -> ServiceError:
    return ServiceError(
        f"The alias {alias} of {aliases.name} must come to rest, but others moved it "
        f"{_MAX_TURNS} times meanwhile; what the ledger holds is kept."
    )
