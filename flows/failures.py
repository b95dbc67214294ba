"""What a flow says whose caller must not take a family for whole in which members failed."""

from mixmatch.errors import FamilyError
from tasks.summary import RunSummary


def refuse_failures(summary: RunSummary) -> None:
    """Do nothing if every member was computed.

    Raises:
        FamilyError: members failed; the message has their labels and reasons.
    """
    if summary.failed:
        reasons = "; ".join(f"{label}: {reason}" for label, reason in summary.failed.items())
        raise FamilyError(f"{len(summary.failed)} results failed, the others are kept ({reasons}).")
