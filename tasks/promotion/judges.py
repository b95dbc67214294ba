"""The gates that figures cannot answer: the audit of a lineage, and its signature."""

from collections.abc import Callable
from dataclasses import dataclass

from mixmatch.config import Policy
from mixmatch.records import Gate
from tasks.site import Site

# Says of ``NAME/version`` whether it holds.
Verdict = Callable[[Site, str], bool]


@dataclass(frozen=True, slots=True)
class Judges:
    """Who answers; the flow brings them.

    Attributes:
        audit: whether every link of a version's lineage holds; None: there is no audit here.
        signature: whether its lineage carries a valid signature; None: nothing checks them here.
    """

    audit: Verdict | None = None
    signature: Verdict | None = None

    def gates_of(self, policy: Policy, site: Site, reference: str) -> tuple[Gate, ...]:
        """Ask about one version what the policy demands; this may take seconds.

        Args:
            policy: the demands.
            site: where registry and store are.
            reference: ``NAME/version``.
        """
        asked = (
            ("passes_audit", policy.passes_audit, self.audit, "every link holds"),
            ("signed", policy.signed, self.signature, "a valid signature"),
        )
        return tuple(
            _gate(name, judge, allowed, site, reference)
            for name, wanted, judge, allowed in asked
            if wanted
        )


def _gate(name: str, judge: Verdict | None, allowed: str, site: Site, reference: str) -> Gate:
    if judge is None:
        found = "it cannot be checked: this installation has nothing that does"
        return Gate(name=name, allowed=allowed, found=found, ok=False)
    ok = judge(site, reference)
    return Gate(name=name, allowed=allowed, found="yes" if ok else "no", ok=ok)
