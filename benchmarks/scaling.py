"""Many results, and many workers: what orchestration costs, and whether memory stays where it was.

``python benchmarks/scaling.py ROWS.jsonl [PIECE ...]`` measures the pieces that ROWS.jsonl lacks,
one row each, and writes docs/scaling.md from all rows. A run that was interrupted goes on.
"""

import argparse
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from fault_table import append, machine, read_rows
from scaling_run import EQUAL, MANY, PROGRAM, environment, run
from scaling_table import write_document

DOCUMENT = Path(__file__).parents[1] / "docs" / "scaling.md"
CRITERIA = "criteria=[magnitude,gradient,product]"
SELECTED = "select start_time, end_time from task_run where name like 'balanced/%' and start_time"


SEEDS = 34


def ten(folder: Path) -> dict[str, Any]:
    """Ten results: what the thousand are compared with."""
    return run(folder / "ten", MANY)


def thousand(folder: Path) -> dict[str, Any]:
    """Ten configurations, three criteria, 34 seeds."""
    seeds = ",".join(map(str, range(SEEDS)))
    return run(folder / "thousand", MANY, CRITERIA, f"seeds=[{seeds}]")


def afterwards(folder: Path) -> dict[str, Any]:
    """What a person does with the thousand: look again, list, show, open the report."""
    again = thousand(folder)
    workspace = folder / "thousand"
    report = Path(again["report"])
    return {
        "again": again["seconds"],
        "list": _timed(workspace, "list"),
        "show": _timed(workspace, "show", "scaling@most-accurate"),
        "registered": again["front"],
        "report_bytes": report.stat().st_size,
        "workspace_bytes": sum(x.stat().st_size for x in workspace.rglob("*") if x.is_file()),
        "browser": _opened(report),
    }


def equal(folder: Path) -> dict[str, Any]:
    """Twenty equal jobs by one worker, then twenty by two; by the server's times of their runs."""
    workspace, rates = folder / "equal", {}
    for workers in (1, 2):
        first = 100 * workers
        seeds = ",".join(str(first + x) for x in range(20))
        found = run(workspace, EQUAL, f"engine.workers={workers}", f"seeds=[{seeds}]")
        times = _times(workspace)[-20:]
        span = max(end for _, end in times) - min(start for start, _ in times)
        rates[f"seconds_{workers}"] = round(span, 2)
        rates[f"run_s_{workers}"] = found["seconds"]
    rates["ratio"] = round(rates["seconds_1"] / rates["seconds_2"], 3)
    return rates


def long(folder: Path) -> dict[str, Any]:
    """Run for about ten minutes: twenty jobs of a minute each by two workers."""
    seeds = ",".join(map(str, range(20)))
    longer = ("fine_tune.max_epochs=75", "fine_tune.patience=75", "engine.workers=2")
    return run(folder / "long", EQUAL, f"seeds=[{seeds}]", *longer)


PIECES: dict[str, Callable[[Path], dict[str, Any]]] = {
    x.__name__: x for x in (ten, thousand, afterwards, equal, long)
}


def _timed(workspace: Path, *command: str) -> float:
    started = time.monotonic()
    subprocess.run(
        [str(PROGRAM), *command], env=environment(workspace), check=True, capture_output=True
    )
    return round(time.monotonic() - started, 2)


def _opened(report: Path) -> float | None:
    """Return how long Chromium takes to load and draw the report; None where there is none."""
    picture = report.with_suffix(".png")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=1400,2000"]
    started = time.monotonic()
    try:
        subprocess.run(
            ["chromium", *options, f"--screenshot={picture}", report.as_uri()],
            check=True,
            capture_output=True,
        )
    except FileNotFoundError:
        return None
    return round(time.monotonic() - started, 2)


def _times(workspace: Path) -> list[tuple[float, float]]:
    """Return start and end of all members' task runs, the first first."""
    with closing(sqlite3.connect(workspace / "prefect" / "prefect.db")) as connection:
        rows = connection.execute(f"{SELECTED} order by start_time").fetchall()
    return [tuple(datetime.fromisoformat(x).timestamp() for x in row) for row in rows]


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=Path)
    parser.add_argument("pieces", nargs="*", choices=[*PIECES, []])
    asked = parser.parse_args()
    folder = asked.rows.resolve().with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    done = {row["piece"] for row in read_rows(asked.rows)}
    for name in asked.pieces or PIECES:
        if name not in done:
            row = {"piece": name, **PIECES[name](folder), **machine()}
            append(asked.rows, row)
            print(row)
    write_document(DOCUMENT, {row["piece"]: row for row in read_rows(asked.rows)})


if __name__ == "__main__":
    main()
