"""The tables of a study as tidy CSV: one heading, one row a line, fractions, bytes, seconds."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mixmatch.records import Record
from tasks.study.configurations import configurations
from tasks.study.drops import References
from tasks.study.files import write_text
from tasks.study.row import StudyRow
from tasks.study.table_rows import ComparisonRow, FrontRow, StudyTables, SummaryRow

_BETWEEN = " "  # the values of one cell


def write_tables(
    folder: Path, rows: Sequence[StudyRow], tables: StudyTables, *, wants_dense: bool
) -> None:
    """Write ``results.csv``, ``summary.csv``, ``comparisons.csv``, ``best.csv``, ``fronts.csv``.

    The same rows give the same bytes.

    Args:
        folder: of the results.
        rows: of the study.
        tables: made from them.
        wants_dense: whether the study asks for the dense control.

    Raises:
        WorkspaceError: a file cannot be written.
    """
    references = References(rows, wants_dense=wants_dense)
    ordered = [row for found in configurations(rows) for row in found.rows]
    _write(folder / "results.csv", _RESULT, [_result(row, references) for row in ordered])
    _write_records(folder / "summary.csv", SummaryRow, tables.summary)
    _write_records(folder / "comparisons.csv", ComparisonRow, tables.comparisons)
    _write_records(folder / "fronts.csv", FrontRow, tables.fronts)
    _write_records(folder / "best.csv", ComparisonRow, tables.best)


_RESULT = (
    "label",
    "kind",
    "name",
    "also",
    "criterion",
    "asked_sparsity",
    "seed",
    "sparsity",
    "num_weights",
    "num_nonzero",
    "bytes",
    "validation_after_mask",
    "validation_after_batch_norm",
    "validation",
    "validation_low",
    "validation_high",
    "test",
    "test_low",
    "test_high",
    "test_num_images",
    "drop_from_base",
    "drop_from_dense",
    "drop",
    "reference",
    "epochs_run",
    "epochs_discarded",
    "best_epoch",
    "seconds",
    "cpu_seconds",
    "base_digest",
    "data_digest",
    "mask_digest",
    "key",
    "device",
    "precision",
    "threads",
    "hardware",
    "versions",
    "finished_at",
)


def _result(row: StudyRow, references: References) -> dict[str, object]:
    drops, execution = references.drops([row]), row.execution
    own = {name: getattr(row, name) for name in _RESULT if hasattr(row, name)}
    return own | {
        "validation": row.validation.value,
        "validation_low": row.validation.low,
        "validation_high": row.validation.high,
        "test": row.test.value,
        "test_low": row.test.low,
        "test_high": row.test.high,
        "test_num_images": row.test.num_images,
        "drop_from_base": drops.from_base,
        "drop_from_dense": drops.from_dense,
        "drop": drops.drop,
        "reference": drops.reference,
        "device": execution and execution.device,
        "precision": execution and execution.precision,
        "threads": execution and execution.threads,
        "versions": tuple(f"{name}={version}" for name, version in row.versions.items()),
    }


def _write_records(path: Path, kind: type[Record], records: Sequence[Record]) -> None:
    values = [{name: getattr(x, name) for name in kind.model_fields} for x in records]
    _write(path, tuple(kind.model_fields), values)


def _write(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    text = io.StringIO(newline="")
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(columns)
    lines.writerows([_cell(row[column]) for column in columns] for row in rows)
    write_text(path, text.getvalue())


def _cell(value: object) -> object:
    """Write several values into one cell, truth as ``true`` or ``false``, None as nothing."""
    if isinstance(value, tuple):
        return _BETWEEN.join(str(_cell(x)) for x in value)
    if isinstance(value, bool):
        return str(value).lower()
    return value
