"""The lineage of registered networks: gathered from the store, written as in-toto statements."""

from tasks.lineage.documents import (
    CARD_FILE,
    LINEAGE_DIGEST_TAG,
    LINEAGE_FILE,
    SIGNATURE_FILE,
    Documents,
    Origin,
    Tracked,
    documents_of,
)
from tasks.lineage.kept import StepKey, kept_files, steps_of
from tasks.lineage.statement import read_statement, statement_bytes
from tasks.lineage.traces import preparation_jobs, traces_of

__all__ = [
    "CARD_FILE",
    "LINEAGE_DIGEST_TAG",
    "LINEAGE_FILE",
    "SIGNATURE_FILE",
    "Documents",
    "Origin",
    "StepKey",
    "Tracked",
    "documents_of",
    "kept_files",
    "preparation_jobs",
    "read_statement",
    "statement_bytes",
    "steps_of",
    "traces_of",
]
