"""Which claims about family and rivals the comparisons bear, as sentences."""

from collections.abc import Sequence

from tasks.study.table_rows import ComparisonRow

# Probability from which a comparison counts as decided, on either side: with 0.975 as its 95 %
# interval decides.
SURE = 0.975


def claims(comparisons: Sequence[ComparisonRow]) -> list[str]:
    """Return one sentence per criterion and rival: how many comparisons are decided, and how.

    Comparisons between different base networks mix two causes: they are counted by themselves.
    """
    groups: dict[tuple[str, str], list[ComparisonRow]] = {}
    for row in comparisons:
        groups.setdefault((row.criterion, row.rival), []).append(row)
    return [_claim(criterion, rival, rows) for (criterion, rival), rows in groups.items()]


def verdict(probability: float) -> str:
    """Say in one word who is more accurate: ``family``, ``rival`` or ``undecided``."""
    if probability >= SURE:
        return "family"
    return "rival" if probability <= 1 - SURE else "undecided"


def bears_claim(row: ComparisonRow) -> bool:
    """Say whether a comparison bears a claim: all its results come from one base network."""
    return row.num_bases == 1


def _claim(criterion: str, rival: str, rows: Sequence[ComparisonRow]) -> str:
    within_one = [row for row in rows if bears_claim(row)]
    result = _decided(within_one) if within_one else "no comparison within one base network"
    num_mixed = len(rows) - len(within_one)
    mixed = f" Between different base networks, not counted: {num_mixed}." if num_mixed else ""
    return f"family by {criterion} against {rival} at equal sparsity: {result}.{mixed}"


def _decided(rows: Sequence[ComparisonRow]) -> str:
    verdicts = [verdict(row.probability) for row in rows]
    mean = sum(row.difference for row in rows) / len(rows)
    best = max(rows, key=lambda row: row.probability)
    worst = min(rows, key=lambda row: row.probability)
    return (
        f"more accurate in {verdicts.count('family')}, less accurate in {verdicts.count('rival')}, "
        f"undecided in {verdicts.count('undecided')} of {len(rows)} comparisons; "
        f"{100 * mean:+.2f} points on average; probabilities from {worst.probability:.3f} "
        f"({worst.strategy}) to {best.probability:.3f} ({best.strategy})"
    )
