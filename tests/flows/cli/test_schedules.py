"""Schedules as a user makes them, and one that really fires under ``mixmatch serve``."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from flows.cli import app
from flows.cli.schedules import _check
from mixmatch.errors import ConfigError

PROGRAM = Path(sys.executable).with_name("mixmatch")
LIMIT_S = 240.0
RUN_FILE = """
name: nightly
data: {name: digits, image_size: 16, train_limit: 200}
model: {architecture: test_resnet, train: {epochs: 1}}
strategies: [conservative, aggressive]
fine_tune: {max_epochs: 0}
quantize: none
latency: none
engine: {workers: 1, overlap: skip}
"""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((None, "0 2 * * *", None, None, False), "A schedule must have a run file"),
        ((Path("r"), None, None, "r", False), "Either --cron or --every .*, got neither"),
        ((Path("r"), "0 2 * * *", 60.0, "r", False), "Either --cron or --every .*, got both"),
        ((Path("r"), None, 3.0, "r", False), "--every must be at least 10 seconds, got 3"),
        ((None, None, None, None, True), "--remove must come with a run file or --name"),
        ((Path("r"), None, 60.0, "r", True), "--remove must come without --cron and --every"),
    ],
)
def test_what_does_not_fit_together_is_refused(arguments, message):
    *given, remove = arguments
    with pytest.raises(ConfigError, match=message):
        _check(*given, remove=remove)


def test_a_wrong_cron_expression_is_one_sentence(tmp_path):
    (tmp_path / "run.yaml").write_text(RUN_FILE)
    given = ["schedule", str(tmp_path / "run.yaml"), "--cron", "soon", "--workspace", str(tmp_path)]
    outcome = CliRunner().invoke(app, given)
    assert outcome.exit_code == 2
    assert "--cron must be five fields such as '0 2 * * *'" in outcome.stderr


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("schedules")
    (folder / "run.yaml").write_text(RUN_FILE)
    return folder / "workspace"


def environment(workspace):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "MLFLOW_"))}
    return {**kept, "MIXMATCH_HOME": str(workspace)}


def schedule(workspace, *arguments):
    done = subprocess.run(
        [str(PROGRAM), "schedule", *arguments, "--json"],
        cwd=workspace.parent,
        env=environment(workspace),
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def rows(database, statement):
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(statement).fetchall()


@pytest.fixture(scope="module")
def served(workspace):
    """Serve a schedule of a short interval until a run has said that it is up to date."""
    made = schedule(workspace, "run.yaml", "--every", "20")
    output = (workspace.parent / "serve.txt").open("w")
    server = subprocess.Popen(
        [str(PROGRAM), "serve"],
        env=environment(workspace),
        stdout=output,
        stderr=subprocess.STDOUT,
    )
    deadline = time.monotonic() + LIMIT_S
    wanted = "select count(*) from flow_run where state_name = 'UpToDate'"
    while rows(workspace / "prefect" / "prefect.db", wanted) == [(0,)]:
        assert server.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.5)
    family = psutil.Process(server.pid).children(recursive=True)
    server.send_signal(signal.SIGTERM)
    exit_code = server.wait(60)
    output.close()
    return made, exit_code, family


@pytest.mark.service
def test_a_schedule_fires_and_the_next_run_finds_nothing_new(workspace, served):
    made, exit_code, family = served
    assert made["when"] == "every 20 s"
    assert made["overlap"] == "skip"
    assert exit_code == 0
    assert not [x for x in family if x.is_running() and x.status() != psutil.STATUS_ZOMBIE]
    database = workspace / "prefect" / "prefect.db"
    compressions = rows(database, "select state_type from flow_run where name = 'compress-nightly'")
    assert compressions == [("COMPLETED",)]
    assert len(rows(workspace / "mlflow.db", "select * from runs")) == 3  # the parent, two members


@pytest.mark.service
def test_a_schedule_is_replaced_listed_and_removed(workspace, served):
    replaced = schedule(workspace, "run.yaml", "--cron", "0 2 * * *", "--timezone", "Europe/Berlin")
    assert (replaced["when"], replaced["timezone"]) == ("0 2 * * *", "Europe/Berlin")
    assert schedule(workspace)["schedules"] == [replaced]
    assert schedule(workspace, "--remove", "--name", "nightly") == replaced
    assert schedule(workspace) == {"schedules": []}


@pytest.mark.service
def test_a_killed_serve_takes_its_worker_along_and_its_run_ends_by_itself(tmp_path):
    (tmp_path / "run.yaml").write_text(RUN_FILE.replace("epochs: 1", "epochs: 30"))
    workspace = tmp_path / "workspace"
    schedule(workspace, "run.yaml", "--every", "10")
    with (tmp_path / "serve.txt").open("w") as output:
        server = subprocess.Popen(
            [str(PROGRAM), "serve"],
            env=environment(workspace),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    await_rows(workspace, "RUNNING", alive=server)
    family = psutil.Process(server.pid).children(recursive=True)
    (worker,) = (x for x in family if "worker" in x.cmdline())
    server.kill()
    server.wait()
    psutil.wait_procs([worker], timeout=30)
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
    await_rows(workspace, "COMPLETED")
    reaped = subprocess.run(
        [str(PROGRAM), "reap", "--json"],
        env=environment(workspace),
        capture_output=True,
        text=True,
        check=True,
        timeout=LIMIT_S,
    )
    assert json.loads(reaped.stdout)["num_leases"] == 1
    _, alive = psutil.wait_procs(family, timeout=30)
    assert alive == []


def await_rows(workspace, state, alive=None):
    """Wait until a compression is in that state, while the process ``alive`` is."""
    wanted = f"select 1 from flow_run where name = 'compress-nightly' and state_type = '{state}'"
    deadline = time.monotonic() + LIMIT_S
    while not rows(workspace / "prefect" / "prefect.db", wanted):
        assert alive is None or alive.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.2)
