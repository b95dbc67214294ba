"""The audit: walks the lineage of registered networks and recomputes every link of it.

To add a link: a function that returns a ``Finding``, and its line in the walk that it belongs to.
"""

from tasks.audit.audit import (
    Extent,
    audit_all,
    audit_file,
    audit_model,
    checked_lineage,
    signature_of,
    verdict_of,
)
from tasks.audit.links import Audit, Link, VersionAudit
from tasks.audit.page import write_page

__all__ = [
    "Audit",
    "Extent",
    "Link",
    "VersionAudit",
    "audit_all",
    "audit_file",
    "audit_model",
    "checked_lineage",
    "signature_of",
    "verdict_of",
    "write_page",
]
