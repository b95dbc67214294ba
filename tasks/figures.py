"""The figures of a run as two small files: for DVC's metrics and plots, or a spreadsheet."""

import csv
import json
import os
from pathlib import Path

from mixmatch.errors import WorkspaceError
from tasks.summary import ResultRow, RunSummary

# The sparsity from which a network counts as sparse in the figures.
SPARSE = 0.8

_COLUMNS = (
    "strategy",
    "criterion",
    "seed",
    "sparsity",
    "validation_accuracy",
    "accuracy",
    "accuracy_drop",
    "bytes",
    "on_front",
    "digest",
)


def check_figures_folder(folder: Path) -> None:
    """Check before hours of work that ``folder`` can be written; creates nothing.

    Raises:
        WorkspaceError: it is no folder, or cannot be created or written.
    """
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not existing.is_dir():
        which = "it" if existing == folder else existing
        raise _unwritable(folder, f"{which} is a file")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise _unwritable(folder, f"no right to write in {existing}")


def write_figures(summary: RunSummary, folder: Path) -> None:
    """Write ``metrics.json`` and ``family.csv`` into ``folder``; fractions and bytes on disk.

    Neither holds a time or a path, so the same results give the same files.

    Raises:
        WorkspaceError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "metrics.json").write_text(json.dumps(metrics_of(summary), indent=1) + "\n")
        with (folder / "family.csv").open("w", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(_COLUMNS)
            rows.writerows(_row(result) for result in summary.results)
    except OSError as error:
        raise _unwritable(folder, str(error.strerror)) from error


def metrics_of(summary: RunSummary) -> dict[str, float]:
    """Return the few figures that tell one run from another; validation chooses."""
    front = [result for result in summary.results if result.on_front]
    sparse = [result for result in summary.results if result.sparsity >= SPARSE]
    metrics: dict[str, float] = {
        "base_accuracy": summary.base.accuracy,
        "num_results": len(summary.results),
        "num_on_front": len(front),
        "smallest_bytes": min(result.bytes for result in summary.results),
    }
    if sparse:
        best = max(sparse, key=lambda x: (x.validation_accuracy, x.sparsity))
        metrics["best_sparse_accuracy"] = best.accuracy
        metrics["best_sparse_sparsity"] = best.sparsity
        metrics["best_sparse_drop"] = best.accuracy_drop
    return metrics


def _row(result: ResultRow) -> list[object]:
    return [getattr(result, column) for column in _COLUMNS]


def _unwritable(folder: Path, reason: str) -> WorkspaceError:
    return WorkspaceError(
        f"--figures must name a folder that can be written, got {folder} ({reason})."
    )
