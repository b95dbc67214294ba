"""Every version before the gates of a policy, and the one that is preferred."""

from dataclasses import dataclass

from mixmatch.config import Policy
from mixmatch.errors import PromotionError
from mixmatch.gates import candidate, gates_of, nearest_miss
from mixmatch.preference import preferred
from mixmatch.records import Candidate, VersionFacts
from tasks.ledger import Ledger, returned
from tasks.promotion.judges import Judges
from tasks.site import Site
from tasks.tracking import version_facts


@dataclass(frozen=True, slots=True)
class Decision:
    """What a policy makes of the versions of a model.

    Attributes:
        candidates: every version that can be judged, oldest first.
        winner: what the preferred one says of itself; None: no version passes.
        warnings: sentences about versions that cannot be judged.
    """

    candidates: tuple[Candidate, ...]
    winner: VersionFacts | None
    warnings: tuple[str, ...]


def decide(
    site: Site, name: str, policy: Policy, ledger: Ledger, *, holder: int | None, judges: Judges
) -> Decision:
    """Judge every version; audit and signature are asked only of those that pass all else.

    Args:
        site: where the registry is.
        name: registered model.
        policy: the demands.
        ledger: what happened before.
        holder: version that holds the alias now; None: nobody.
        judges: who answers what figures cannot.

    Raises:
        RegistryError: there is no such model.
        PromotionError: it has no version that can be judged.
    """
    facts, unreadable = version_facts(site, name)
    if not facts:
        found = "none" if not unreadable else "only others"
        raise PromotionError(f"{name} must have a version that mixmatch registered, found {found}.")
    of_holder = next((x for x in facts if x.version == holder), None)
    back = returned(ledger, name, policy.alias)
    candidates: list[Candidate] = []
    for one in facts:
        judged = candidate(
            one, gates_of(policy, one, holder=of_holder, returned=back.get(one.version))
        )
        if judged.passes:
            more = judges.gates_of(policy, site, f"{name}/{one.version}")
            judged = candidate(one, (*judged.gates, *more))
        candidates.append(judged)
    passing = [one for one in candidates if one.passes]
    best = preferred(passing, policy.prefer) if passing else None
    return Decision(
        candidates=tuple(candidates),
        winner=next((x for x in facts if best and x.version == best.version), None),
        warnings=tuple(
            f"Version {number} of {name} is passed over: mixmatch cannot read what it says of "
            f"itself ({reason})."
            for number, reason in unreadable.items()
        ),
    )


def nearest_sentence(name: str, candidates: tuple[Candidate, ...]) -> str:
    """Name the version that comes nearest, and what it misses."""
    one = nearest_miss(candidates)
    missed = "; ".join(
        f"{gate.name} must be {gate.allowed}, found {gate.found}"
        for gate in one.gates
        if not gate.ok
    )
    return (
        f"None of {len(candidates)} versions of {name} passes the policy, and the alias stays; "
        f"the nearest is version {one.version}: {missed}."
    )
