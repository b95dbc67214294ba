"""What is done to a run: each case starts one, disturbs it, and says what happened."""

import os
import random
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.fault_run import Run, Settings
from benchmarks.fault_services import (
    Records,
    mlflow_server,
    object_store,
    prefect_server,
    records_in_bucket,
    started,
    trainings_in_bucket,
)
from benchmarks.fault_state import records_of, remove
from tests import two_hosts
from tests.faulty_proxy import Fault, FaultyProxy
from tests.flows.dask_cluster import DaskCluster
from tests.swift import BUCKET

DISK_BYTES = 30_000_000
AWAY_S = 30.0
CUT_S = 20.0
_PREFIX = "faults"


@dataclass(frozen=True)
class Disturbed:
    """A run that was disturbed.

    Attributes:
        what: happened, and where.
        summary: None if it did not get to its end.
        done: records that were there when it ended.
        settings: with which it is started again.
        records: returns the records that are there now.
        left: returns what should not be there at the end, beside what every workspace shows.
    """

    what: str
    summary: dict[str, Any] | None
    done: Records
    records: Callable[[], Records]
    settings: Settings = field(default_factory=Settings)
    left: Callable[[], list[str]] = list


# Servers that a case starts are ended through the stack, after the run has been judged.
Case = Callable[[Path, ExitStack], Disturbed]


def _disturbed(
    workspace: Path, what: str, summary: dict[str, Any] | None, settings: Settings | None = None
) -> Disturbed:
    """Return what became of a run whose store is a folder, right after it ended."""
    return Disturbed(
        what,
        summary,
        records_of(workspace),
        lambda: records_of(workspace),
        settings or Settings(),
    )


def killed_flow(workspace: Path, stack: ExitStack, *, seconds: float) -> Disturbed:
    """Kill the flow's process, with the scheduler of the local cluster that lives in it."""
    del stack
    while not (run := Run(workspace)).kill_after(seconds):
        # The machine is faster than at the undisturbed run: the point lay after the end.
        remove(workspace)
        seconds *= 0.8
    what = f"flow process killed after {seconds:.0f} s, in {run.stage()}"
    return _disturbed(workspace, what, None)


def killed_worker(workspace: Path, stack: ExitStack, *, after: int) -> Disturbed:
    """Kill a worker while it holds the state of a fine-tune that is not finished."""
    del stack
    run = Run(workspace)
    run.wait_for_members(after)
    run.wait_for_training()
    random.Random(after).choice(run.workers()).kill()
    what = f"a worker killed in the middle of a fine-tune, after {after} members"
    return _disturbed(workspace, what, run.end())


def killed_workers(workspace: Path, stack: ExitStack) -> Disturbed:
    """Kill all workers at once."""
    del stack
    run = Run(workspace)
    run.wait_for_training()
    for worker in run.workers():
        worker.kill()
    return _disturbed(workspace, "all workers killed at once, in a fine-tune", run.end())


def killed_scheduler(workspace: Path, stack: ExitStack) -> Disturbed:
    """Kill the scheduler of an existing cluster in the fan-out, and start it again."""
    cluster = DaskCluster(_beside(workspace, "dask"))
    stack.callback(cluster.end)
    cluster.start_scheduler()
    for _ in range(2):
        cluster.add_worker()
    settings = Settings((_dask(cluster),))
    run = Run(workspace, settings)
    run.wait_for_training()
    cluster.scheduler.kill()
    cluster.scheduler.wait()
    cluster.start_scheduler()
    cluster.replace_workers()
    what = "scheduler of an existing Dask cluster killed in a fine-tune, started again like workers"
    return _disturbed(workspace, what, run.end(), settings)


def frozen_mlflow(workspace: Path, stack: ExitStack) -> Disturbed:
    """Stop the MLflow server for half a minute while runs and versions are written."""
    server = stack.enter_context(started(mlflow_server(workspace)))
    settings = Settings(variables={"MLFLOW_TRACKING_URI": server.address})
    run = Run(workspace, settings)
    run.wait_for_stage("register")
    server.freeze(AWAY_S)
    what = f"MLflow server stopped (SIGSTOP) for {AWAY_S:.0f} s, in register"
    return _disturbed(workspace, what, run.end(), settings)


def killed_mlflow(workspace: Path, stack: ExitStack) -> Disturbed:
    """Kill the MLflow server, and start it half a minute later."""
    server = stack.enter_context(started(mlflow_server(workspace)))
    settings = Settings(variables={"MLFLOW_TRACKING_URI": server.address})
    run = Run(workspace, settings)
    run.wait_for_stage("register")
    server.kill()
    time.sleep(AWAY_S)
    server.start()
    what = f"MLflow server killed, and started again after {AWAY_S:.0f} s, in register"
    return _disturbed(workspace, what, run.end(), settings)


def locked_database(workspace: Path, stack: ExitStack) -> Disturbed:
    """Lock MLflow's SQLite database for half a minute while runs and versions are written."""
    del stack
    run = Run(workspace)
    run.wait_for_stage("register")
    with closing(sqlite3.connect(workspace / "mlflow.db", timeout=60)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        time.sleep(AWAY_S)
        connection.rollback()
    what = f"MLflow's database locked for {AWAY_S:.0f} s, in register"
    return _disturbed(workspace, what, run.end())


def stopped_store(workspace: Path, stack: ExitStack) -> Disturbed:
    """Kill all daemons of the S3 server in the fan-out, and start them half a minute later."""
    server = stack.enter_context(object_store(_beside(workspace, "swift")))
    settings = _in_bucket(server.environment)
    run = Run(workspace, settings)
    run.wait_for_training()
    server.stop()
    time.sleep(AWAY_S)
    server.start()
    what = f"S3 server killed, and started again after {AWAY_S:.0f} s, in a fine-tune"
    return _of_bucket(server, what, run.end(), settings)


def failing_store(workspace: Path, stack: ExitStack) -> Disturbed:
    """Let the S3 server answer 500 to a tenth of all requests, before or after it did the work."""
    server = stack.enter_context(object_store(_beside(workspace, "swift")))
    lost = stack.enter_context(FaultyProxy(server.endpoint, Fault.LOSE, every=20))
    refused = stack.enter_context(FaultyProxy(lost.endpoint, Fault.REFUSE, every=20))
    settings = _in_bucket({**server.environment, "AWS_ENDPOINT_URL": refused.endpoint})
    summary = Run(workspace, settings).end()
    failed, seen = refused.num_failed + lost.num_failed, refused.num_seen
    what = f"S3 server answered 500 to {failed} of {seen} requests, to half of them after the work"
    return _of_bucket(server, what, summary, settings)


def killed_beside_store(workspace: Path, stack: ExitStack) -> Disturbed:
    """Kill the flow in a fine-tune; another host, with the store alone, goes on."""
    server = stack.enter_context(object_store(_beside(workspace, "swift")))
    settings = _in_bucket(server.environment)
    run = Run(workspace, settings)
    run.wait_for_members(1)
    run.wait_for_training()
    run.kill()
    for name in ("training", "cache"):
        shutil.rmtree(workspace / name)
    what = "flow process killed in a fine-tune; what its machine held of it lost, S3 kept"
    return _of_bucket(server, what, None, settings)


def full_disk(workspace: Path, stack: ExitStack) -> Disturbed:
    """Run in a workspace on a small tmpfs until it is full; then give it space."""
    workspace.mkdir(parents=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", workspace], check=True
    )
    stack.callback(subprocess.run, ["umount", "-l", workspace], check=True)
    run = Run(workspace)
    summary = run.end()
    what = f"disk full: a tmpfs of {DISK_BYTES / 1e6:.0f} MB, in {run.stage()}"
    disturbed = _disturbed(workspace, what, summary)
    subprocess.run(["mount", "-o", "remount,size=4g", workspace], check=True)
    return disturbed


def cut_link(workspace: Path, stack: ExitStack) -> Disturbed:
    """Have the workers on another host, and cut the cable in the middle of a fine-tune.

    They see none of the flow's folders: only its scheduler, store and Prefect.
    """
    cable = stack.enter_context(two_hosts.two_hosts())
    server = stack.enter_context(object_store(_beside(workspace, "swift"), cable.here))
    mlflow = stack.enter_context(started(mlflow_server(workspace, cable.here)))
    prefect = stack.enter_context(started(prefect_server(workspace, cable.here)))
    elsewhere = workspace.parent.with_name(f"{workspace.parent.name}-elsewhere")
    stack.callback(shutil.rmtree, elsewhere, ignore_errors=True)
    addresses = {
        **server.environment,
        "PREFECT_API_URL": f"{prefect.address}/api",
        "NO_PROXY": cable.here,
        "no_proxy": cable.here,
    }
    cluster = DaskCluster(
        elsewhere,
        variables={**addresses, "MIXMATCH_HOME": str(elsewhere / "home")},
        hosts=(cable.here, cable.there),
        before_worker=cable.command_there(workspace.parent),
    )
    stack.callback(cluster.end)
    cluster.start_scheduler()
    for _ in range(2):
        cluster.add_worker()
    told = _in_bucket({**addresses, "MLFLOW_TRACKING_URI": mlflow.address})
    settings = Settings((*told.overrides, _dask(cluster)), told.variables)
    run = Run(workspace, settings)
    run.wait_for_stage("members")
    run.wait_for(lambda: list((elsewhere / "home" / "training").glob("*.safetensors")))
    cable.cut(CUT_S)
    what = f"two hosts, link cut for {CUT_S:.0f} s in a fine-tune"
    disturbed = _of_bucket(server, what, run.end(), settings)

    def left() -> list[str]:
        return disturbed.left() + [str(x) for x in (elsewhere / "home" / "training").iterdir()]

    return replace(disturbed, left=left)


def may_mount() -> bool:
    """Say whether a file system of a given size can be had."""
    return os.geteuid() == 0 and shutil.which("mount") is not None


def _dask(cluster: Any) -> str:  # noqa: ANN401  no types in tests
    return f"engine={{kind: dask, address: '{cluster.address}', precision: float32}}"


def _in_bucket(variables: dict[str, str]) -> Settings:
    return Settings((f"store=s3://{BUCKET}/{_PREFIX}",), variables)


def _of_bucket(
    server: Any,  # noqa: ANN401  no types in tests
    what: str,
    summary: dict[str, Any] | None,
    settings: Settings,
) -> Disturbed:
    return Disturbed(
        what,
        summary,
        records_in_bucket(server, _PREFIX),
        lambda: records_in_bucket(server, _PREFIX),
        settings,
        lambda: trainings_in_bucket(server, _PREFIX),
    )


def _beside(workspace: Path, name: str) -> Path:
    return workspace.with_name(f"{workspace.name}-{name}")
