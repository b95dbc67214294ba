"""Which claims about family and rivals the comparisons bear, as sentences."""

from collections.abc import Sequence

from tasks.study.table_rows import ComparisonRow

SURE = 0.95  # probability from which a comparison counts as decided


def claims(comparisons: Sequence[ComparisonRow]) -> list[str]:
    """Return one sentence per criterion and rival: how many comparisons are decided, and how."""
    groups: dict[tuple[str, str], list[ComparisonRow]] = {}
    for row in comparisons:
        groups.setdefault((row.criterion, row.rival), []).append(row)
    return [_claim(criterion, rival, rows) for (criterion, rival), rows in groups.items()]


def verdict(probability: float) -> str:
    """Say in one word who is more accurate: ``family``, ``rival`` or ``undecided``."""
    if probability >= SURE:
        return "family"
    return "rival" if probability <= 1 - SURE else "undecided"


def _claim(criterion: str, rival: str, rows: Sequence[ComparisonRow]) -> str:
    counts = dict.fromkeys(("family", "rival", "undecided"), 0)
    for row in rows:
        counts[verdict(row.probability)] += 1
    mean = sum(row.difference for row in rows) / len(rows)
    best = max(rows, key=lambda row: row.probability)
    worst = min(rows, key=lambda row: row.probability)
    return (
        f"family by {criterion} against {rival} at equal sparsity: more accurate in "
        f"{counts['family']}, less accurate in {counts['rival']}, undecided in "
        f"{counts['undecided']} of {len(rows)} comparisons; {100 * mean:+.2f} points on average; "
        f"probabilities from {worst.probability:.3f} ({worst.strategy}) to "
        f"{best.probability:.3f} ({best.strategy})."
    )
