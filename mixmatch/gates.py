"""The gates of a promotion policy that a version's own figures answer.

To add one: a setting of the policy, a function here, and its line in ``_GATES``. What needs more
than figures, the audit and the signature, is asked by the caller of those that pass these.
"""

from collections.abc import Callable, Sequence

from mixmatch.config import Policy
from mixmatch.records import Candidate, Gate, VersionFacts

NOT_RECORDED = "not recorded"


def gates_of(
    policy: Policy, facts: VersionFacts, *, holder: VersionFacts | None, returned: str | None = None
) -> tuple[Gate, ...]:
    """Hold one version against every gate that the policy sets.

    Args:
        policy: the demands.
        facts: what the version says of itself.
        holder: the version that holds the alias now; None: nobody does.
        returned: why this version must not win again by itself; None: nothing speaks against it.

    Returns:
        In the order of the policy.
    """
    gates = [gate for find in _GATES if (gate := find(policy, facts)) is not None]
    if policy.not_worse_by is not None:
        gates.append(_not_worse(policy.not_worse_by, facts, holder))
    if returned is not None and not policy.may_return:
        gates.append(Gate(name="may_return", allowed="never returned", found=returned, ok=False))
    return tuple(gates)


def candidate(facts: VersionFacts, gates: Sequence[Gate]) -> Candidate:
    """Put a version and its gates together."""
    return Candidate(
        version=facts.version,
        digest=facts.digest,
        bytes=facts.bytes,
        sparsity=facts.sparsity,
        validation_accuracy=facts.validation_accuracy,
        accuracy=facts.accuracy,
        gates=tuple(gates),
    )


def nearest_miss(candidates: Sequence[Candidate]) -> Candidate:
    """Return the one that fails the fewest gates; ties: by the least in sum, then the oldest.

    Args:
        candidates: at least one; none of them passes.
    """
    return min(candidates, key=lambda one: (_num_failed(one), _shortfall(one), one.version))


def _num_failed(one: Candidate) -> int:
    return sum(not gate.ok for gate in one.gates)


def _shortfall(one: Candidate) -> float:
    return sum(gate.shortfall or 0.0 for gate in one.gates)


def _bytes(policy: Policy, facts: VersionFacts) -> Gate | None:
    limit = policy.largest_bytes
    return None if limit is None else _at_most("largest_bytes", limit, facts.bytes, _count)


def _sparsity(policy: Policy, facts: VersionFacts) -> Gate | None:
    limit = policy.smallest_sparsity
    return None if limit is None else _at_least("smallest_sparsity", limit, facts.sparsity)


def _accuracy(policy: Policy, facts: VersionFacts) -> Gate | None:
    limit = policy.smallest_accuracy
    return (
        None if limit is None else _at_least("smallest_accuracy", limit, facts.validation_accuracy)
    )


def _drop(policy: Policy, facts: VersionFacts) -> Gate | None:
    limit = policy.largest_drop
    if limit is None:
        return None
    found = facts.drop_mean if limit.of == "mean" else facts.drop_high
    return _at_most("largest_drop", limit.drop, found, _points, scale=1.0)


def _latency(policy: Policy, facts: VersionFacts) -> Gate | None:
    limit = policy.largest_latency
    if limit is None:
        return None
    if facts.processor is not None and facts.processor != limit.processor:
        allowed = f"at most {_milliseconds(limit.seconds)} on {limit.processor}"
        found = f"measured on {facts.processor}"
        return Gate(name="largest_latency", allowed=allowed, found=found, ok=False)
    found_s = facts.median_s.get(limit.runtime, {}).get(str(limit.batch))
    return _at_most("largest_latency", limit.seconds, found_s, _milliseconds)


def _front(policy: Policy, facts: VersionFacts) -> Gate | None:
    if not policy.on_front:
        return None
    found = NOT_RECORDED if facts.fronts is None else " and ".join(facts.fronts) or "neither"
    return Gate(name="on_front", allowed="sparsity or bytes", found=found, ok=bool(facts.fronts))


_GATES: tuple[Callable[[Policy, VersionFacts], Gate | None], ...] = (
    _bytes,
    _sparsity,
    _accuracy,
    _drop,
    _latency,
    _front,
)


def _not_worse(limit: float, facts: VersionFacts, holder: VersionFacts | None) -> Gate:
    """Compare with the holder, on the same validation images or not at all."""
    if holder is None:
        allowed = f"at most {_points(limit)}"
        return Gate(name="not_worse_by", allowed=allowed, found="nobody holds it", ok=True)
    loss = None
    if facts.data_digest is not None and facts.data_digest == holder.data_digest:
        loss = holder.validation_accuracy - facts.validation_accuracy
    gate = _at_most("not_worse_by", limit, loss, _points, scale=1.0)
    return gate if loss is not None else gate.model_copy(update={"found": "other data set"})


def _at_most(
    name: str,
    limit: float,
    found: float | None,
    shown: Callable[[float], str],
    *,
    scale: float | None = None,
) -> Gate:
    """Compare; a shortfall is relative to ``limit``, or to ``scale`` where that may be zero."""
    allowed = f"at most {shown(limit)}"
    if found is None:
        return Gate(name=name, allowed=allowed, found=NOT_RECORDED, ok=False)
    over = max(0.0, (found - limit) / (scale or limit))
    return Gate(name=name, allowed=allowed, found=shown(found), ok=found <= limit, shortfall=over)


def _at_least(name: str, limit: float, found: float) -> Gate:
    under = max(0.0, (limit - found) / limit) if limit else 0.0
    allowed = f"at least {_percent(limit)}"
    return Gate(
        name=name, allowed=allowed, found=_percent(found), ok=found >= limit, shortfall=under
    )


def _count(value: float) -> str:
    return f"{int(value):,} bytes"


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.6g} %"


def _points(fraction: float) -> str:
    return f"{100 * fraction:.4g} points"


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.4g} ms"
