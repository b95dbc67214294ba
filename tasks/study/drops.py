"""How much accuracy a result lost: against the base, the dense control, and the better of the two.

Fine-tuning also repairs an under-trained base, so a drop against the base alone can flatter.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
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
        reference: which of the two is better on validation, ties: ``base``; None: there is
            none, the control that the study asks for is missing, or it is not the same one for all
            seeds.
    """

    from_base: float | None
    from_dense: float | None
    drop: float | None
    reference: Reference | None


@dataclass(frozen=True, slots=True)
class _Level:
    """Mean accuracies of a base, or of its dense control."""

    validation: Fraction  # exact, so that ties are ties
    test: float


class References:
    """What rows are compared with: base and dense control of the same base network."""

    def __init__(self, rows: Sequence[StudyRow], *, wants_dense: bool) -> None:
        """Take the base and dense rows out of ``rows``.

        Args:
            rows: of the study.
            wants_dense: whether the study asks for the dense control; then there is no reference
                without one, lest a drop against the base alone flatters.
        """
        self._wants_dense = wants_dense
        self._rows = tuple(row for row in rows if row.kind in _REFERENCES)
        self._levels: Mapping[str, Mapping[Reference, _Level]] = {
            digest: _levels([row for row in rows if row.base_digest == digest])
            for digest in {row.base_digest for row in rows}
        }

    def drops(self, rows: Sequence[StudyRow]) -> Drops:
        """Compare one result, or all seeds of a configuration at their mean.

        A drop is None if one of the results has nothing to be compared with.
        """
        levels = [self._levels[row.base_digest] for row in rows]
        better = [self._better(of_base) for of_base in levels]
        pairs = list(zip(levels, better, strict=True))
        return Drops(
            _drop([of_base.get("base") for of_base in levels], rows),
            _drop([of_base.get("dense") for of_base in levels], rows),
            _drop([of_base[name] if name else None for of_base, name in pairs], rows),
            better[0] if len(set(better)) == 1 else None,
        )

    def reference_rows(self, rows: Sequence[StudyRow]) -> tuple[StudyRow, ...]:
        """Return the rows that the drop of these is taken against.

        Empty if there is no drop, or if they do not all come from one base network.
        """
        bases = {row.base_digest for row in rows}
        if len(bases) > 1:
            return ()
        (base,) = bases
        kind = self._better(self._levels[base])
        return tuple(x for x in self._rows if x.base_digest == base and x.kind == kind)

    def _better(self, levels: Mapping[Reference, _Level]) -> Reference | None:
        """Choose by validation; the base where both are equal, None where there is no choice."""
        if self._wants_dense and "dense" not in levels:
            return None
        return max(levels, key=lambda x: (levels[x].validation, x == "base"), default=None)


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
            num_correct, num_images = (
                sum(getattr(row.validation, x) for row in of_kind)
                for x in ("num_correct", "num_images")
            )
            test = pooled([row.test for row in of_kind])
            levels[kind] = _Level(Fraction(num_correct, num_images), test)
    return levels
