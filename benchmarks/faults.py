"""What a run survives: kills, a locked database, a full disk; every case against a whole run.

``python benchmarks/faults.py ROWS.jsonl`` runs what ROWS.jsonl lacks, one row per case, and writes
docs/reliability.md from all rows. The same command goes on after an interruption.
"""

import argparse
import os
import random
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from fault_run import Run
from fault_state import State, processes_of, records_of, state_of
from fault_table import append, machine, read_rows, write_document

ROOT = Path(__file__).parents[1]
DISK_BYTES = 40_000_000
LOCKED_S = 30.0
SEED = 20261127
DOCUMENT = ROOT / "docs" / "reliability.md"


@dataclass(frozen=True)
class Disturbed:
    """A run that was disturbed.

    Attributes:
        what: happened, and where.
        summary: None if it did not get to its end.
        done: records that were there when it ended.
    """

    what: str
    summary: dict[str, Any] | None
    done: dict[str, tuple[int, int]]


def killed_flow(workspace: Path, fraction: float, whole_s: float) -> Disturbed:
    """Kill the flow's process, with the scheduler of the local cluster that lives in it."""
    seconds = fraction * whole_s
    while not (run := Run(workspace)).kill_after(seconds):
        # The machine is faster than at the undisturbed run: the point lay after the end.
        _clean(workspace)
        run.log.unlink()
        seconds *= 0.8
    what = f"flow process killed after {seconds:.0f} s, in {run.stage()}"
    return Disturbed(what, None, records_of(workspace))


def killed_worker(workspace: Path, generator: random.Random) -> Disturbed:
    """Kill a worker while it holds the state of a fine-tune that is not finished."""
    run = Run(workspace)
    progress = workspace / "runs" / "progress"
    ready = 1 + generator.randrange(4)
    run.wait_for(lambda: len(list(progress.rglob("*%2F*.json"))) >= ready and run.workers())
    run.wait_for(lambda: list((workspace / "training").glob("*.safetensors")) and run.workers())
    victim = generator.choice(run.workers())
    victim.kill()
    done = records_of(workspace)
    return Disturbed("a worker killed in the middle of a fine-tune", run.end(), done)


def killed_workers(workspace: Path) -> Disturbed:
    """Kill all workers at once."""
    run = Run(workspace)
    progress = workspace / "runs" / "progress"
    run.wait_for(lambda: len(list(progress.rglob("*%2F*.json"))) >= 4 and len(run.workers()) == 2)
    for worker in run.workers():
        worker.kill()
    return Disturbed("all workers killed at once", run.end(), records_of(workspace))


def killed_scheduler(workspace: Path) -> Disturbed:
    """Kill the local cluster's scheduler: it lives in the flow's process, which dies with it."""
    run = Run(workspace)
    progress = workspace / "runs" / "progress"
    run.wait_for(lambda: len(list(progress.rglob("*%2F*.json"))) >= 4)
    run.kill()
    return Disturbed("local scheduler killed in the fan-out", None, records_of(workspace))


def locked_database(workspace: Path) -> Disturbed:
    """Lock MLflow's SQLite database for half a minute while runs and versions are written."""
    run = Run(workspace)
    run.wait_for(lambda: "\nregister: " in run.log.read_text())
    with closing(sqlite3.connect(workspace / "mlflow.db", timeout=60)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        time.sleep(LOCKED_S)
        connection.rollback()
    done = records_of(workspace)
    return Disturbed(f"MLflow's database locked for {LOCKED_S:.0f} s", run.end(), done)


def full_disk(workspace: Path) -> Disturbed:
    """Run in a workspace on a small tmpfs until it is full; then give it space."""
    with _tmpfs(workspace) as enlarge:
        run = Run(workspace)
        summary = run.end()
        enlarge()
        what = f"disk full: a tmpfs of {DISK_BYTES / 1e6:.0f} MB, in {run.stage()}"
        return Disturbed(what, summary, records_of(workspace))


@contextmanager
def _tmpfs(workspace: Path) -> Iterator[Callable[[], None]]:
    workspace.mkdir(parents=True)
    size = f"size={DISK_BYTES}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", workspace], check=True)

    def enlarge() -> None:
        subprocess.run(["mount", "-o", "remount,size=4g", workspace], check=True)

    yield enlarge


def _may_mount() -> bool:
    return os.geteuid() == 0 and shutil.which("mount") is not None


def cases(whole_s: float) -> dict[str, Callable[[Path], Disturbed]]:
    """Return all cases by name, in the order in which they run."""
    points = random.Random(SEED)
    found: dict[str, Callable[[Path], Disturbed]] = {}
    for number in range(1, 21):
        fraction = points.random()
        found[f"flow {number:02}"] = partial(killed_flow, fraction=fraction, whole_s=whole_s)
        if number % 4 == 0:  # mixed, so that a matrix that is still under way shows every kind
            choice = random.Random(SEED + number)
            found[f"worker {number // 4}"] = partial(killed_worker, generator=choice)
    found["workers"], found["scheduler"] = killed_workers, killed_scheduler
    found["database"] = locked_database
    if _may_mount():
        found["disk"] = full_disk
    order = ["flow 01", "worker 1", "database", "disk", "workers", "scheduler"]
    return {name: found[name] for name in [*order, *found] if name in found}


def measure(
    name: str, disturb: Callable[[Path], Disturbed], whole: State, folder: Path
) -> dict[str, Any]:
    """Run one case to its end and compare with the whole run."""
    workspace, started = folder / name.replace(" ", "-"), time.monotonic()
    try:
        disturbed = disturb(workspace)
        summary, num_starts = disturbed.summary, 1
        while summary is None and num_starts < 3:
            summary, num_starts = Run(workspace).end(), num_starts + 1
        verdict: dict[str, Any] = {"ended": summary is not None}
        if summary is not None:
            verdict |= _compare(state_of(workspace, summary), whole)
            after = records_of(workspace)
            verdict["computed_twice"] = [k for k, x in disturbed.done.items() if after.get(k) != x]
    finally:
        _clean(workspace)
    seconds = round(time.monotonic() - started)
    row = {"case": name, "what": disturbed.what, "starts": num_starts, **verdict}
    row["ok"] = verdict["ended"] and not any(x for k, x in verdict.items() if k != "ended")
    return {**row, "seconds": seconds, **machine()}


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


def _clean(workspace: Path) -> None:
    """End what a failed case left alive, and remove its files."""
    for process in processes_of(workspace):
        process.kill()
    if workspace.is_mount():
        subprocess.run(["umount", "-l", workspace], check=True)
    shutil.rmtree(workspace, ignore_errors=True)


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
    _clean(folder / "whole")
    return {"case": "whole", "seconds": seconds, "state": asdict(state), **machine()}


if __name__ == "__main__":
    main()
