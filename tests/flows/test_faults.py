"""A run that is killed twice, and the same one that nothing disturbs: the short fault matrix."""

import sqlite3
from contextlib import closing

import pytest

from benchmarks.fault_state import records_of, state_of
from tests.flows.command import Command, run_command

pytestmark = pytest.mark.service

RUN_FILE = """
name: faults
data: {name: digits, image_size: 16}
model: {architecture: test_resnet, train: {epochs: 2}}
strategies: [conservative, aggressive]
fine_tune: {max_epochs: 2, patience: 2}
quantize: none
latency: none
engine: {workers: 1, precision: float32}
"""


@pytest.fixture(scope="module")
def run_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("faults") / "run.yaml"
    file.write_text(RUN_FILE)
    return file


@pytest.fixture(scope="module")
def whole(run_file):
    """What a run leaves that nothing disturbs."""
    workspace = run_file.with_name("whole")
    return state_of(workspace, run_command(workspace, run_file).summary)


@pytest.fixture(scope="module")
def killed(run_file):
    """A workspace in which a run was killed within a fine-tune, then one while it registered."""
    workspace = run_file.with_name("killed")
    command = Command(workspace, run_file)
    command.await_stage("members")
    command.await_that(lambda: list((workspace / "training").glob("*.safetensors")))
    command.kill()
    command = Command(workspace, run_file)
    command.await_stage("register")
    command.kill()
    return workspace


def test_a_run_that_was_killed_twice_ends_as_one_that_was_not(whole, killed, run_file):
    before = records_of(killed)
    outcome = run_command(killed, run_file)
    state = state_of(killed, outcome.summary)
    assert (outcome.exit_code, outcome.summary["cache"]["misses"]) == (0, 0)
    assert state.digests == whole.digests
    assert state.aliases == whole.aliases
    counts = ("num_runs", "num_versions", "num_models", "num_pointers")
    assert [getattr(state, x) for x in counts] == [getattr(whole, x) for x in counts]
    assert (state.doubled, state.unfinished) == ([], [])
    assert set(state.leftovers) <= set(whole.leftovers)
    assert {name: records_of(killed)[name] for name in before} == before


def test_the_flow_runs_of_killed_processes_are_crashed(killed):
    with closing(sqlite3.connect(killed / "prefect" / "prefect.db")) as database:
        rows = database.execute("select state_type from flow_run where name like 'compress-%'")
        assert sorted(x[0] for x in rows) == ["COMPLETED", "CRASHED", "CRASHED"]
