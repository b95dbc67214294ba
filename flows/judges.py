"""Who answers the gates of a policy that figures cannot: the one place that knows them."""

from tasks.audit import signature_of, verdict_of
from tasks.promotion import Judges


def judges() -> Judges:
    """Return audit and check of signatures, as far as this installation has them."""
    return Judges(audit=verdict_of, signature=signature_of)
