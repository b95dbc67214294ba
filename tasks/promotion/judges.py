"""The gates that figures cannot answer: the audit of a lineage, and its signature."""

from collections.abc import Callable
from dataclasses import dataclass

from mixmatch.config import Policy
from mixmatch.records import Gate, Verdict
from tasks.site import Site

_SHOWN = 3  # links that a gate names

# Says of ``NAME/version`` whether it holds.
Answer = Callable[[Site, str], bool]
# Likewise, and what could not be checked.
Auditor = Callable[[Site, str], Verdict]


@dataclass(frozen=True, slots=True)
class Judges:
    """Who answers; the flow brings them.

    Attributes:
        audit: whether every link of a version's lineage holds, and which lack their evidence; None:
            there is no audit here.
        signature: whether its lineage carries a valid signature; None: nothing checks them here.
    """

    audit: Auditor | None = None
    signature: Answer | None = None

    def gates_of(self, policy: Policy, site: Site, reference: str) -> tuple[Gate, ...]:
        """Ask about one version what the policy demands; this may take seconds.

        Args:
            policy: the demands.
            site: where registry and store are.
            reference: ``NAME/version``.
        """
        gates: list[Gate] = []
        if policy.passes_audit:
            verdict = None if self.audit is None else self.audit(site, reference)
            gates.append(_audit_gate(verdict, complete=policy.passes_audit == "complete"))
        if policy.signed:
            signed = None if self.signature is None else self.signature(site, reference)
            gates.append(_gate("signed", "a valid signature", signed))
        return tuple(gates)


def _audit_gate(verdict: Verdict | None, *, complete: bool) -> Gate:
    name = "passes_audit"
    allowed = "every link holds" if complete else "every link holds that can be checked"
    if verdict is None or not verdict.ok or not verdict.missing:
        return _gate(name, allowed, None if verdict is None else verdict.ok)
    shown = ", ".join(verdict.missing[:_SHOWN])
    rest = len(verdict.missing) - _SHOWN
    found = f"no evidence for {shown}" + (f" and {rest} more" if rest > 0 else "")
    return Gate(name=name, allowed=allowed, found=found, ok=not complete)


def _gate(name: str, allowed: str, ok: bool | None) -> Gate:
    if ok is None:
        found = "it cannot be checked: this installation has nothing that does"
        return Gate(name=name, allowed=allowed, found=found, ok=False)
    return Gate(name=name, allowed=allowed, found="yes" if ok else "no", ok=ok)
