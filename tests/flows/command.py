"""The real command, run as a user runs it, and what it left in the databases of its workspace."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psutil

_PROGRAM = Path(sys.executable).with_name("mixmatch")
_LIMIT_S = 500.0
_POLL_S = 0.02
_TRACKED = ("runs", "params", "tags", "metrics", "inputs", "logged_models", "model_versions")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one call of the command came to, and the rows that it added to Prefect's database."""

    exit_code: int
    summary: dict
    stderr: str
    flow_runs: list[tuple[str, str]]
    task_runs: list[tuple[str, str]]
    num_tracked: dict[str, int]

    @property
    def rows(self):
        return {(row["strategy"], row["criterion"]): row for row in self.summary["results"]}


class Command:
    """A call of ``mixmatch run``, or of ``mixmatch study``, that is under way."""

    def __init__(self, workspace, run_file, *overrides, results=None, flags=()):
        self.workspace = workspace
        self._before = _prefect_ids(workspace)
        self._stderr = workspace.parent / "stderr.txt"
        options = [part for override in overrides for part in ("--set", override)]
        with self._stderr.open("w") as stderr:
            self.process = subprocess.Popen(
                [str(_PROGRAM), *_name(run_file, results), "--json", *flags, *options],
                env=_environment(workspace),
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )

    def outcome(self):
        """Wait for the end; the last line of stdout is the summary."""
        stdout, _ = self.process.communicate(timeout=_LIMIT_S)
        lines = stdout.splitlines()
        assert lines, self._stderr.read_text()
        return Outcome(
            exit_code=self.process.returncode,
            summary=json.loads(lines[-1]),
            stderr=self._stderr.read_text(),
            flow_runs=_new_rows(self.workspace, "flow_run", self._before),
            task_runs=_new_rows(self.workspace, "task_run", self._before),
            num_tracked=_num_tracked(self.workspace),
        )

    def kill(self):
        """End the command without warning."""
        self.process.kill()
        self.process.communicate()

    def await_that(self, happened):
        """Return once ``happened()`` is true while the command still runs."""
        self._await(happened)

    def await_stage(self, stage):
        """Return once the command says that ``stage`` has begun."""
        self._await(lambda: f"\n{stage}: " in self._stderr.read_text())

    def await_worker_at_work(self):
        """Return a worker process while one computes a member."""
        folder = self.workspace / "runs" / "progress"
        known = set(folder.rglob("*%2F*.json"))
        self._await(lambda: set(folder.rglob("*%2F*.json")) - known)
        (worker,) = self._workers()
        return worker

    def kill_worker_at_work(self):
        """Kill the only worker process in the middle of a member, however short that is."""
        self._await(self._caught_at_work)

    def _caught_at_work(self):
        for worker in self._workers():
            worker.suspend()  # or the member could be done before the blow falls
            if self._is_member_computed():
                worker.kill()
                return True
            worker.resume()
        return False

    def _workers(self):
        family = psutil.Process(self.process.pid).children(recursive=True)
        return [x for x in family if is_worker(x)]

    def _is_member_computed(self):
        files = (self.workspace / "runs" / "progress").rglob("*%2F*.json")
        return any(not json.loads(file.read_text())["finished"] for file in files)

    def _await(self, happened):
        deadline = time.monotonic() + _LIMIT_S
        while not happened():
            assert self.process.poll() is None, self._stderr.read_text()
            assert time.monotonic() < deadline, self._stderr.read_text()
            time.sleep(_POLL_S)


def is_worker(process):
    try:
        return "spawn_main" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # has ended since it was listed, or is a zombie
        return False


def run_command(workspace, run_file, *overrides, results=None, flags=()):
    return Command(workspace, run_file, *overrides, results=results, flags=flags).outcome()


def _name(run_file, results):
    if results is None:
        return ("run", str(run_file))
    return ("study", str(run_file), "--results", str(results))


def _environment(workspace):
    """Return the user's environment without what other tests of this process have set."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "MLFLOW_"))}
    return {**kept, "MIXMATCH_HOME": str(workspace)}


def _query(database, statement):
    if not database.is_file():
        return []
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(statement).fetchall()


def _prefect_ids(workspace):
    database = workspace / "prefect" / "prefect.db"
    return {
        table: {row[0] for row in _query(database, f"select id from {table}")}
        for table in ("flow_run", "task_run")
    }


def ids_of_flow_runs(workspace, name):
    """Return Prefect's ids of the flow runs called ``name``."""
    database = workspace / "prefect" / "prefect.db"
    return {
        key for key, found in _query(database, "select id, name from flow_run") if found == name
    }


def _new_rows(workspace, table, before):
    """Return name and type of state of the rows that were not there before, by name."""
    database = workspace / "prefect" / "prefect.db"
    rows = _query(database, f"select id, name, state_type from {table}")
    return sorted((name, state) for key, name, state in rows if key not in before[table])


def _num_tracked(workspace):
    database = workspace / "mlflow.db"
    if not database.is_file():
        return {}
    return {table: _query(database, f"select count(*) from {table}")[0][0] for table in _TRACKED}
