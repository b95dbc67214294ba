"""What is said of results that failed where others are kept."""

from collections.abc import Mapping

from mixmatch.errors import FamilyError
from tasks.summary import RunSummary


def listed(failed: Mapping[str, str]) -> str:
    """Return each label with its reason, for the inside of a sentence."""
    return "; ".join(f"{label}: {reason}" for label, reason in failed.items())


def refuse_failures(summary: RunSummary) -> None:
    """Do nothing if every member was computed: no caller may take a family for whole that is not.

    Raises:
        FamilyError: members failed; the message has their labels and reasons.
    """
    if summary.failed:
        reasons = listed(summary.failed)
        raise FamilyError(f"{len(summary.failed)} results failed, the others are kept ({reasons}).")
