"""Which version of a registered model holds an alias: by policy, by a person, and back again.

The order of every change: the ledger's entry first, then the registry's alias, then the version's
tag that says so. What is killed in between, the next command completes (``settling``).
"""

from tasks.promotion.approval import approve
from tasks.promotion.judges import Judges
from tasks.promotion.person import check_person
from tasks.promotion.policy_file import load_policy
from tasks.promotion.promote import promote
from tasks.promotion.rollback import rollback
from tasks.promotion.settling import AliasState, alias_state, marked_digest
from tasks.promotion.summary import PromotionSummary, Reevaluation

__all__ = [
    "AliasState",
    "Judges",
    "PromotionSummary",
    "Reevaluation",
    "alias_state",
    "approve",
    "check_person",
    "load_policy",
    "marked_digest",
    "promote",
    "rollback",
]
