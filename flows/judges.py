"""Who answers the gates of a policy that figures cannot: the one place that knows them."""

from functools import partial

from tasks.audit import signature_of, verdict_of
from tasks.promotion import Judges


def judges(factory: str | None = None) -> Judges:
    """Return audit and check of signatures, as far as this installation has them.

    Args:
        factory: ``package.module:factory`` that the audit may import for a user's own network.
    """
    return Judges(audit=partial(verdict_of, factory=factory), signature=signature_of)
