"""The rows of the fault matrix, and the page that is written from them."""

import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any


def machine() -> dict[str, str]:
    """Describe where and with what this was measured."""
    names = ("prefect", "mlflow", "dvc", "distributed", "torch")
    processors = len(os.sched_getaffinity(0))
    return {
        "machine": f"{_processor()}, {processors} processors, {platform.system()}, load "
        f"{os.getloadavg()[1]:.0f}",
        "versions": ", ".join(f"{x} {version(x).partition('+')[0]}" for x in names),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return " ".join(line.partition(":")[2].split())
    return platform.processor()


def read_rows(file: Path) -> list[dict[str, Any]]:
    """Return the rows of earlier calls."""
    return [json.loads(x) for x in file.read_text().splitlines()] if file.is_file() else []


def append(file: Path, row: dict[str, Any]) -> None:
    """Write one more row down."""
    with file.open("a") as rows:
        rows.write(json.dumps(row) + "\n")


def write_document(
    document: Path, rows: list[dict[str, Any]], *, num_cases: int, seed: int
) -> None:
    """Write the page's table from all rows; what stands above it is text."""
    text = document.read_text() if document.is_file() else ""
    head = text.partition(MARK)[0].rstrip()
    measured = [row for row in rows if row["case"] != "whole"]
    whole = next(row for row in rows if row["case"] == "whole")
    lines = [
        f"{sum(x['ok'] for x in measured)} of {len(measured)} cases as they should be; "
        f"{len(measured)} of {num_cases} have run. An undisturbed run took {whole['seconds']} s.",
        "",
        "| case | what happened | starts | same files, aliases and counts | computed twice "
        "| doubled | unfinished | left over | seconds |",
        "|---|---|---|---|---|---|---|---|---|",
        *(_line(row) for row in sorted(measured, key=_place)),
        "",
        f"Machine: {whole['machine']}. Versions: {whole['versions']}. Seed of the points: {seed}. "
        f"Command: `make faults`.",
    ]
    document.write_text("\n".join([head, "", MARK, "", *lines, ""]))


MARK = "<!-- benchmarks/faults.py writes all that follows -->"


def _place(row: dict[str, Any]) -> tuple[str, str]:
    """Return what rows are sorted by: kinds first, numbers within."""
    kind, _, number = row["case"].rpartition(" ")
    return (kind, number) if number.isdecimal() else (row["case"], "")


def _line(row: dict[str, Any]) -> str:
    differs = [x for x in ("other_digests", "other_aliases", "other_counts") if row.get(x)]
    same = "yes" if row["ended"] and not differs else "**no**"
    counts = [len(row.get(x, [])) for x in ("computed_twice", "doubled", "unfinished", "leftovers")]
    cells = [row["case"], row["what"], row["starts"], same, *counts, row["seconds"]]
    return f"| {' | '.join(str(x) for x in cells)} |"
