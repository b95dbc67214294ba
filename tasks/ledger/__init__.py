"""The promotion ledger: who moved which alias when and why, append-only and hash-chained.

Entry n is ``ledger/%09d.json`` in the store, created only if absent, and holds the SHA-256 of the
bytes of entry n - 1. Who creates an entry holds the promotion; there is no other lock. The ledger
is the truth: the registry's alias follows it, and is put right where it lags behind.
"""

from tasks.ledger.chain import Ledger, append, read_ledger
from tasks.ledger.holders import (
    history,
    holder_of,
    last_move,
    named_versions,
    open_request,
    previous_holder,
    returned,
)

__all__ = [
    "Ledger",
    "append",
    "history",
    "holder_of",
    "last_move",
    "named_versions",
    "open_request",
    "previous_holder",
    "read_ledger",
    "returned",
]
