"""The figures of a run as small files: for DVC's metrics and plots, or a spreadsheet."""

import csv
import json
import os
from collections.abc import Iterable
from pathlib import Path

from mixmatch.errors import WorkspaceError
from tasks.summary import SPARSE, ResultRow, RunSummary

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
    "on_size_front",
)
_INT8_COLUMNS = ("int8_bytes", "int8_accuracy", "int8_digest")  # empty where there is no int8 file
_COMPARE_COLUMNS = (
    "rival",
    "sparsity_asked",
    "seed",
    "sparsity",
    "validation_accuracy",
    "accuracy",
    "accuracy_drop",
    "bytes",
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

    Of a run with rivals ``compare.csv`` holds those; of one without, an older one is removed. None
    holds a time or a path, so the same results give the same files.

    Raises:
        WorkspaceError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "metrics.json").write_text(json.dumps(metrics_of(summary), indent=1) + "\n")
        _write_table(folder / "family.csv", _COLUMNS + _INT8_COLUMNS, map(_row, summary.results))
        if summary.compare:
            rivals = ([getattr(x, name) for name in _COMPARE_COLUMNS] for x in summary.compare)
            _write_table(folder / "compare.csv", _COMPARE_COLUMNS, rivals)
        else:
            (folder / "compare.csv").unlink(missing_ok=True)
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
    int8 = result.int8
    quantized = [int8.bytes, int8.accuracy, int8.digest] if int8 else [None] * len(_INT8_COLUMNS)
    return [*(getattr(result, name) for name in _COLUMNS), *quantized]


def _write_table(path: Path, columns: tuple[str, ...], rows: Iterable[list[object]]) -> None:
    with path.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(columns)
        table.writerows(rows)


def _unwritable(folder: Path, reason: str) -> WorkspaceError:
    return WorkspaceError(
        f"--figures must name a folder that can be written, got {folder} ({reason})."
    )
