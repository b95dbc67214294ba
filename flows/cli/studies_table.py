"""Several studies as tables: what each network keeps, and whose front is larger."""

from typing import TYPE_CHECKING

from flows.cli.output import percent
from flows.cli.study_table import new_table

if TYPE_CHECKING:
    from rich.console import Console

    from tasks.study.across import FrontDifference, Gain, Studies, StudyLine
    from tasks.study.table_rows import SummaryRow

_STUDIES = (
    "study",
    "network",
    "results",
    "epochs",
    "base %",
    "dense %",
    "keeps %",
    "drop, pts (95 %)",
    "front",
)
_FRONTS = (
    *("study", "beside", "epochs", "beside", "difference (95 %)"),
    *("gain, pts (95 %)", "sparsest, pts (95 %)"),
)


def print_studies(console: "Console", found: "Studies") -> None:
    """Print every study, and the fronts of those that share a base network."""
    table = new_table(_STUDIES, num_left=2)
    for line in found.studies:
        table.add_row(*_study_cells(line))
    console.print(table)
    console.print(
        "base, dense: accuracy on test. keeps: the highest sparsity of the family that loses at "
        "most one point on validation, against base or dense control, whichever is better there; "
        "its drop is that on test. front: the area under the family's front on test, chosen on "
        "validation.",
        soft_wrap=True,
    )
    if not found.fronts:
        return
    table = new_table(_FRONTS, num_left=2)
    for row in found.fronts:
        table.add_row(*_front_cells(row))
    console.print()
    console.print(table)
    console.print(
        "Fronts of one base network on the same images; interval: of resamples of validation "
        "images, on which fronts are chosen, and of test images. If the second has all "
        "configurations of the first and more, those are left out: then only the training "
        "differs. gain: in accuracy on test, the mean over results of one configuration and seed "
        "that both have as networks of their own; sparsest: of the sparsest such configuration.",
        soft_wrap=True,
    )


def _study_cells(line: "StudyLine") -> tuple[str, ...]:
    return (
        line.study,
        line.architecture,
        str(line.num_results),
        str(line.epochs),
        _test(line.base),
        _test(line.dense),
        percent(line.sparsest.sparsity) if line.sparsest else "none",
        _drop(line.sparsest),
        f"{line.front.area_test:.5f}" if line.front else "-",
    )


def _front_cells(row: "FrontDifference") -> tuple[str, ...]:
    return (
        row.study,
        row.beside,
        str(row.epochs),
        str(row.beside_epochs),
        f"{row.difference:+.5f} ({row.low:+.5f} to {row.high:+.5f})",
        _gain(row.gain),
        _gain(row.sparsest_gain),
    )


def _gain(gain: "Gain | None") -> str:
    if gain is None:
        return "-"
    return f"{percent(gain.mean)} ({percent(gain.low)} to {percent(gain.high)})"


def _test(row: "SummaryRow | None") -> str:
    return "-" if row is None else percent(row.test_mean)


def _drop(row: "SummaryRow | None") -> str:
    if row is None or row.drop is None or row.drop_low is None or row.drop_high is None:
        return "-"
    return f"{percent(row.drop)} ({percent(row.drop_low)} to {percent(row.drop_high)})"
