import pytest

from mixmatch.records import LedgerEntry
from tasks.ledger import Ledger, append, holder_of
from tasks.store import FolderStore


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path / "store")


@pytest.fixture
def draft():
    """Make an entry that is not in any ledger yet."""

    def make(action="promotion", version=1, **changes):
        values = {
            "number": 0,
            "before": None,
            "action": action,
            "name": "shapes",
            "alias": "champion",
            "version": version,
            "digest": "c" * 64,
            "held_before": None,
            "found_before": None,
            "at": "2026-11-27T08:00:00.000+00:00",
            "who": "ada@host",
            "why": "smallest",
        }
        return LedgerEntry.model_validate(values | changes)

    return make


@pytest.fixture
def write(store, draft):
    """Append entries, given as (action, version) or as drafts; return the ledger."""

    def written(*entries, ledger=None):
        ledger = ledger or Ledger()
        for given in entries:
            entry = given if isinstance(given, LedgerEntry) else draft(*given)
            held = holder_of(ledger, entry.name, entry.alias)
            ledger = append(store, ledger, entry.model_copy(update={"held_before": held}))
        return ledger

    return written
