"""What a run survives: kills, servers that stop, a cut link, a full disk; all against a whole run.

``python -m benchmarks.faults ROWS.jsonl`` runs what ROWS.jsonl lacks, one row per case, and writes
docs/reliability.md from all rows. The same command goes on after an interruption.
"""

import argparse
import random
import tempfile
import time
import traceback
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import fault_cases
from benchmarks.fault_cases import Case, Disturbed
from benchmarks.fault_run import Run
from benchmarks.fault_state import State, remove, state_of
from benchmarks.fault_table import append, machine, read_rows, write_document
from tests import two_hosts

ROOT = Path(__file__).parents[1]
SEED = 20261127
DOCUMENT = ROOT / "docs" / "reliability.md"


def cases(whole_s: float) -> dict[str, Case]:
    """Return all cases by name, in the order in which they run."""
    found: dict[str, Case] = {
        "S3 500s": fault_cases.failing_store,
        "S3 away": fault_cases.stopped_store,
        "S3 and a kill": fault_cases.killed_beside_store,
        "MLflow stopped": fault_cases.frozen_mlflow,
        "MLflow killed": fault_cases.killed_mlflow,
        "MLflow's database": fault_cases.locked_database,
        "scheduler": fault_cases.killed_scheduler,
        "workers": fault_cases.killed_workers,
    }
    if two_hosts.missing() is None:
        found["two hosts"] = fault_cases.cut_link
    if fault_cases.may_mount():
        found["disk"] = fault_cases.full_disk
    points = random.Random(SEED)
    for number in range(1, 21):
        seconds = points.random() * whole_s
        found[f"flow {number:02}"] = partial(fault_cases.killed_flow, seconds=seconds)
        if number % 4 == 0:  # mixed, so that a matrix that is still under way shows every kind
            after = number // 4 - 1
            found[f"worker {after + 1}"] = partial(fault_cases.killed_worker, after=after)
    return found


def measure(name: str, case: Case, whole: State, folder: Path) -> dict[str, Any]:
    """Run one case to its end and compare with the whole run."""
    workspace, started = folder / name.replace(" ", "-").replace("'", ""), time.monotonic()
    try:
        with ExitStack() as stack:
            row = _judged(workspace, case(workspace, stack), whole)
    except Exception as error:  # the case itself failed; the others are to run all the same
        traceback.print_exc()
        row = {"what": f"**the case failed**: {type(error).__name__}", "starts": 1, "ended": False}
    finally:
        remove(workspace)
    wrong = [k for k, x in row.items() if k not in {"what", "starts", "ended"} and x]
    seconds = round(time.monotonic() - started)
    ok = row["ended"] and not wrong
    return {"case": name, **row, "ok": ok, "seconds": seconds, **machine()}


def _judged(workspace: Path, disturbed: Disturbed, whole: State) -> dict[str, Any]:
    """Start a run again until it ends, at most twice, and say what is not as it should be."""
    summary, num_starts = disturbed.summary, 1
    while summary is None and num_starts < 3:
        summary, num_starts = Run(workspace, disturbed.settings).end(), num_starts + 1
    found: dict[str, Any] = {"what": disturbed.what, "starts": num_starts}
    found["ended"] = summary is not None
    if summary is not None:
        found |= _compare(state_of(workspace, summary), whole)
        found["leftovers"] += disturbed.left()
        after = disturbed.records()
        found["computed_twice"] = [k for k, x in disturbed.done.items() if after.get(k) != x]
    return found


def _compare(found: State, whole: State) -> dict[str, Any]:
    """Return what differs and what is left over; empty or false where all is well."""
    counts = ("num_runs", "num_versions", "num_models", "num_pointers")
    return {
        "other_digests": found.digests != whole.digests,
        "other_aliases": found.aliases != whole.aliases,
        "other_counts": {
            x: (getattr(found, x), getattr(whole, x))
            for x in counts
            if getattr(found, x) != getattr(whole, x)
        },
        "doubled": found.doubled,
        "unfinished": found.unfinished,
        # An undisturbed run leaves Dask's folder.
        "leftovers": [x for x in found.leftovers if x not in whole.leftovers],
    }


def main() -> None:
    """Run what the rows lack, one case after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=Path, help="JSON lines; new rows are appended")
    parser.add_argument("--only", action="append", help="a case by name; may be given again")
    parser.add_argument("--folder", type=Path, help="where workspaces go; else a temporary one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mixmatch-faults-", dir=options.folder) as scratch:
        folder = Path(scratch).resolve()
        rows = read_rows(options.rows)
        if not any(row["case"] == "whole" for row in rows):
            append(options.rows, _whole(folder))
            rows = read_rows(options.rows)
        whole = next(row for row in rows if row["case"] == "whole")
        everything = cases(whole["seconds"])
        done = {row["case"] for row in rows}
        for name in [x for x in (options.only or everything) if x not in done]:
            row = measure(name, everything[name], State(**whole["state"]), folder)
            append(options.rows, row)
            print(f"{name}: {'ok' if row['ok'] else row}", flush=True)
            _write(options.rows, len(everything))
    _write(options.rows, len(everything))


def _write(rows: Path, num_cases: int) -> None:
    write_document(DOCUMENT, read_rows(rows), num_cases=num_cases, seed=SEED)


def _whole(folder: Path) -> dict[str, Any]:
    """Run without any disturbance; what it holds is what every case must hold at the end."""
    started = time.monotonic()
    run = Run(folder / "whole")
    summary = run.end()
    if summary is None:
        raise RuntimeError(f"the undisturbed run failed:\n{run.log.read_text()}")
    seconds = round(time.monotonic() - started)
    state = state_of(folder / "whole", summary)
    remove(folder / "whole")
    return {"case": "whole", "seconds": seconds, "state": asdict(state), **machine()}


if __name__ == "__main__":
    main()
