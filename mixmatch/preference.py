"""Which of several versions that pass a policy is preferred.

To add a preference: its function here, its line in ``_ORDERS``, and its name in the policy.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from mixmatch.records import Candidate


def preferred(candidates: Sequence[Candidate], prefer: str) -> Candidate:
    """Choose one; what still ties goes to the oldest.

    Args:
        candidates: at least one; all of them pass.
        prefer: ``smallest`` (bytes; ties: the more accurate on validation), ``most-accurate``
            (ties: the smaller), or ``knee``: the point of the front that bends most, where both
            axes run from 0 to 1 over these candidates (ties: the smaller).
    """
    return _ORDERS[prefer](candidates)


def _smallest(candidates: Sequence[Candidate]) -> Candidate:
    return min(candidates, key=lambda x: (x.bytes, -x.validation_accuracy, x.version))


def _most_accurate(candidates: Sequence[Candidate]) -> Candidate:
    return min(candidates, key=lambda x: (-x.validation_accuracy, x.bytes, x.version))


def _knee(candidates: Sequence[Candidate]) -> Candidate:
    """Choose the largest distance above the line from the smallest to the most accurate."""
    low, high = _smallest(candidates), _most_accurate(candidates)
    size = high.bytes - low.bytes
    gain = high.validation_accuracy - low.validation_accuracy
    if size <= 0 or gain <= 0:
        return low

    def distance(x: Candidate) -> float:
        return (x.validation_accuracy - low.validation_accuracy) / gain - (
            x.bytes - low.bytes
        ) / size

    return min(candidates, key=lambda x: (-distance(x), x.bytes, x.version))


_ORDERS: Mapping[str, Callable[[Sequence[Candidate]], Candidate]] = MappingProxyType(
    {"smallest": _smallest, "most-accurate": _most_accurate, "knee": _knee}
)
