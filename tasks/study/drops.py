"""How much accuracy a result lost: against the base, the dense control, and the better of the two.

Fine-tuning also repairs an under-trained base, so a drop against the base alone can flatter.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tasks.study.configurations import pooled
from tasks.study.row import StudyRow

Reference = Literal["base", "dense"]
_REFERENCES: tuple[Reference, ...] = ("base", "dense")


@dataclass(frozen=True, slots=True)
class Drops:
    """Test accuracy that is lost, fractions; below zero it is gained.

    Attributes:
        from_base: against the base as it came; None: it has no row.
        from_dense: against the mean of the dense control; None: it has no row.
        drop: against the reference: the one that a claim uses; None: there is none.
        reference: which of the two is better on validation, ties: ``dense``; None: there is
            none, or not the same one for all seeds.
    """

    from_base: float | None
    from_dense: float | None
    drop: float | None
    reference: Reference | None


@dataclass(frozen=True, slots=True)
class _Level:
    """Mean accuracies of a base, or of its dense control."""

    validation: float
    test: float


class References:
    """What rows are compared with: base and dense control of the same base network."""

    def __init__(self, rows: Sequence[StudyRow]) -> None:
        """Take the base and dense rows out of ``rows``."""
        self._levels: Mapping[str, Mapping[Reference, _Level]] = {
            digest: _levels([row for row in rows if row.base_digest == digest])
            for digest in {row.base_digest for row in rows}
        }

    def drops(self, rows: Sequence[StudyRow]) -> Drops:
        """Compare one result, or all seeds of a configuration at their mean.

        A drop is None if one of the results has nothing to be compared with.
        """
        levels = [self._levels[row.base_digest] for row in rows]
        better = [_better(of_base) for of_base in levels]
        pairs = list(zip(levels, better, strict=True))
        return Drops(
            _drop([of_base.get("base") for of_base in levels], rows),
            _drop([of_base.get("dense") for of_base in levels], rows),
            _drop([of_base[name] if name else None for of_base, name in pairs], rows),
            better[0] if len(set(better)) == 1 else None,
        )


def _better(levels: Mapping[Reference, _Level]) -> Reference | None:
    """Choose by validation; the control where both are equal, None where there is neither."""
    return max(levels, key=lambda x: (levels[x].validation, x == "dense"), default=None)


def _drop(levels: Sequence[_Level | None], rows: Sequence[StudyRow]) -> float | None:
    known = [level.test for level in levels if level is not None]
    if len(known) < len(rows):
        return None
    # Both by whole numbers where there is one base, so that no loss is exactly 0.
    return sum(known) / len(known) - pooled([row.test for row in rows])


def _levels(rows: Sequence[StudyRow]) -> dict[Reference, _Level]:
    """Return the levels that are known of one base network."""
    levels: dict[Reference, _Level] = {}
    for kind in _REFERENCES:
        if of_kind := [row for row in rows if row.kind == kind]:
            validation = pooled([row.validation for row in of_kind])
            levels[kind] = _Level(validation, pooled([row.test for row in of_kind]))
    return levels
