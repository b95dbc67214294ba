"""Entries as files: read and verify all of them, or add one."""

import hashlib
import json
from dataclasses import dataclass
from itertools import count

from pydantic import ValidationError

from mixmatch.digests import canonical_json
from mixmatch.errors import ArtifactError, LedgerError
from mixmatch.records import SCHEMA_VERSION, LedgerEntry
from tasks.store import Store

_FOLDER = "ledger/"
MOVES = ("promotion", "rollback")  # actions that change the holder


@dataclass(frozen=True, slots=True)
class Ledger:
    """All entries of a store, verified: no gap, and every one names the digest of the one before.

    Attributes:
        entries: from the first to the last.
        digests: SHA-256 of the bytes of each, as they are stored.
    """

    entries: tuple[LedgerEntry, ...] = ()
    digests: tuple[str, ...] = ()

    @property
    def head(self) -> str | None:
        """Digest of the last entry, which the next one names; None: there is none yet."""
        return self.digests[-1] if self.digests else None

    def digest_of(self, entry: LedgerEntry) -> str:
        """Return the digest of one of its entries."""
        return self.digests[entry.number - 1]


def entry_name(number: int) -> str:
    """Return the name of an entry's file in the store."""
    return f"{_FOLDER}{number:09d}.json"


def read_ledger(store: Store) -> Ledger:
    """Read and verify all entries.

    What the chain cannot show by itself is that its end was cut off or its last entry changed: the
    versions' tags hold the digests of their own entries for that.

    Raises:
        LedgerError: an entry is missing, damaged, or not the one that the next was written after.
    """
    entries: list[LedgerEntry] = []
    digests: list[str] = []
    holders: dict[tuple[str, str], int] = {}
    for number in count(1):
        try:
            content = store.read(entry_name(number))
        except ArtifactError as error:
            raise LedgerError(f"Entry {number} of the ledger is damaged. {error}") from error
        if content is None:
            break
        entry = _parsed(number, content)
        before = digests[-1] if digests else None
        if (entry.number, entry.before) != (number, before):
            raise LedgerError(
                f"Entry {number} of the ledger must name {before} as the digest of the one before, "
                f"and be entry {number}; it names {entry.before} and is entry {entry.number}."
            )
        _check_holder(entry, holders)
        entries.append(entry)
        digests.append(hashlib.sha256(content).hexdigest())
    _refuse_gap(store, len(entries))
    return Ledger(tuple(entries), tuple(digests))


def append(store: Store, ledger: Ledger, draft: LedgerEntry) -> Ledger | None:
    """Add an entry at the end of ``ledger``; None: somebody else has, and nothing was written.

    Args:
        store: where the ledger is.
        ledger: as it was read.
        draft: what to add; its number and the digest before it are set here.
    """
    number = len(ledger.entries) + 1
    entry = draft.model_copy(update={"number": number, "before": ledger.head})
    stored = {"schema": SCHEMA_VERSION, "entry": entry.model_dump(mode="json")}
    content = canonical_json(stored).encode()
    if not store.create(entry_name(number), content):
        return None
    digest = hashlib.sha256(content).hexdigest()
    return Ledger((*ledger.entries, entry), (*ledger.digests, digest))


def _parsed(number: int, content: bytes) -> LedgerEntry:
    try:
        stored = json.loads(content)
        if stored["schema"] != SCHEMA_VERSION:
            raise LedgerError(
                f"Entry {number} of the ledger must have schema {SCHEMA_VERSION}, got "
                f"{stored['schema']!r}."
            )
        return LedgerEntry.model_validate(stored["entry"])
    except (
        json.JSONDecodeError,
        UnicodeDecodeError,
        KeyError,
        TypeError,
        ValidationError,
    ) as error:
        raise LedgerError(
            f"Entry {number} of the ledger must be an entry in JSON, and is damaged "
            f"({type(error).__name__})."
        ) from error


def _check_holder(entry: LedgerEntry, holders: dict[tuple[str, str], int]) -> None:
    """Refuse an entry that contradicts those before it, and take down who holds since it."""
    alias = (entry.name, entry.alias)
    if entry.held_before != holders.get(alias):
        raise LedgerError(
            f"Entry {entry.number} of the ledger must name version {holders.get(alias)} as the "
            f"holder of {entry.alias} before it, got {entry.held_before}."
        )
    if entry.action in MOVES:
        holders[alias] = entry.version


def _refuse_gap(store: Store, num_entries: int) -> None:
    """Look for entries beyond the first that is missing."""
    beyond = [name for name in store.names(_FOLDER) if name > entry_name(num_entries)]
    # One that was added since it was looked for is no gap.
    if beyond and store.read(entry_name(num_entries + 1)) is None:
        raise LedgerError(
            f"The ledger must have no gaps, but entry {num_entries + 1} is missing and "
            f"{beyond[0]} is there."
        )
