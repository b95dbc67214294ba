"""What a workspace holds after a run, read from its databases and files themselves."""

import hashlib
import shutil
import sqlite3
import subprocess
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil


@dataclass(frozen=True)
class State:
    """What a workspace holds after a run; two whole runs of one run file give equal states.

    Attributes:
        digests: of the packed files, by result; and of the base and the DVC folders.
        aliases: digest that each alias of the registered model leads to.
        num_runs, num_versions, num_models, num_pointers: in MLflow and DVC.
        doubled: what exists twice for one key.
        unfinished: rows of Prefect and MLflow that are in no final state.
        leftovers: files and processes that should not outlive a run.
    """

    digests: dict[str, str]
    aliases: dict[str, str]
    num_runs: int
    num_versions: int
    num_models: int
    num_pointers: int
    doubled: list[str]
    unfinished: list[str]
    leftovers: list[str]


def query(database: Path, statement: str) -> list[tuple[Any, ...]]:
    """Read rows; none where there is no database."""
    if not database.is_file():
        return []
    with closing(sqlite3.connect(database, timeout=60)) as connection:
        return connection.execute(statement).fetchall()


def state_of(workspace: Path, summary: dict[str, Any]) -> State:
    """Read everything from the databases and files themselves."""
    mlflow, prefect = workspace / "mlflow.db", workspace / "prefect" / "prefect.db"
    digests = {f"{x['strategy']}/{x['criterion']}": x["digest"] for x in summary["results"]}
    digests["base"] = summary["base"]["digest"]
    # Not the family's: it holds the records of steps, with the times that they took.
    for pointer in (workspace / "dvc").glob("data-*.dvc"):
        digests[pointer.name] = hashlib.sha256(pointer.read_bytes()).hexdigest()
    tagged = query(mlflow, "select version, value from model_version_tags where key = 'digest'")
    by_version = {str(number): digest for number, digest in tagged}
    aliases = query(mlflow, "select alias, version from registered_model_aliases")
    keys = query(
        mlflow,
        "select k.value, p.value from tags k left join tags p on p.run_uuid = k.run_uuid and "
        "p.key = 'mlflow.parentRunId' where k.key = 'mixmatch.key'",
    )
    doubled = [f"run {key}" for key, count in Counter(keys).items() if count > 1]
    doubled += [f"version of {d}" for d, n in Counter(x[1] for x in tagged).items() if n > 1]
    return State(
        digests=digests,
        aliases={alias: by_version[str(number)] for alias, number in aliases},
        num_runs=len(keys),
        num_versions=len(tagged),
        num_models=query(mlflow, "select count(*) from logged_models")[0][0],
        num_pointers=len(list((workspace / "dvc" / "pointers").rglob("*.dvc"))),
        doubled=doubled,
        unfinished=_unfinished(mlflow, prefect),
        leftovers=_leftovers(workspace),
    )


def _unfinished(mlflow: Path, prefect: Path) -> list[str]:
    found = [
        f"MLflow run {x[0]}"
        for x in query(mlflow, "select name from runs where status = 'RUNNING'")
    ]
    final = "('COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED')"
    for table in ("flow_run", "task_run"):
        rows = query(
            prefect, f"select name, state_type from {table} where state_type not in {final}"
        )
        found += [f"{table} {name} {state}" for name, state in rows]
    return found


def _leftovers(workspace: Path) -> list[str]:
    folders = (
        "runs/progress",
        "store/scratch",
        "training",
        "leases",
        "prefect/holders",
        "scratch",
    )
    found = [
        str(x.relative_to(workspace)) for name in folders for x in (workspace / name).glob("*")
    ]
    return found + [f"process {x.pid}" for x in processes_of(workspace)]


def processes_of(workspace: Path) -> list[psutil.Process]:
    """Return all processes that were started for this workspace, by their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(workspace) in process.environ().get("MIXMATCH_HOME", ""):
                found.append(process)
        except psutil.Error:
            continue
    return found


def remove(workspace: Path) -> None:
    """End what still works on a workspace, and remove it with all that lies beside it."""
    for process in processes_of(workspace):
        process.kill()
    if workspace.is_mount():
        subprocess.run(["umount", "-l", workspace], check=True)
    for beside in workspace.parent.glob(f"{workspace.name}*"):
        if beside.is_dir():
            shutil.rmtree(beside, ignore_errors=True)
        else:
            beside.unlink()


def records_of(workspace: Path) -> dict[str, tuple[int, int]]:
    """Return what each record's file is; a job that is computed again replaces it."""
    files = (workspace / "store" / "records").rglob("*.json")
    return {str(x.relative_to(workspace)): (x.stat().st_ino, x.stat().st_mtime_ns) for x in files}
