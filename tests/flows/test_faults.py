"""The short fault matrix: runs that are killed, lose a worker, and whose store answers 500.

All against the same run that nothing disturbs; ``make faults`` is the whole matrix.
"""

import sqlite3
from contextlib import closing

import pytest

from benchmarks.fault_state import records_of, state_of
from tests.faulty_proxy import Fault, FaultyProxy
from tests.flows.command import Command, run_command
from tests.swift import BUCKET

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


@pytest.fixture(scope="module")
def failing(run_file, swift):
    """A run whose S3 store answers 500 to a tenth of all requests, and whose worker is killed.

    Of these half are refused, and half fail when the work is done.
    """
    workspace = run_file.with_name("failing")
    with (
        FaultyProxy(swift.endpoint, Fault.LOSE, every=20) as lost,
        FaultyProxy(lost.endpoint, Fault.REFUSE, every=20) as refused,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in {**swift.environment, "AWS_ENDPOINT_URL": refused.endpoint}.items():
            patch.setenv(name, value)
        command = Command(workspace, run_file, f"store=s3://{BUCKET}/faults")
        worker = command.await_worker_at_work()
        command.await_that(lambda: list((workspace / "training").glob("*.safetensors")))
        worker.kill()
        return workspace, command.outcome(), (refused.num_failed, lost.num_failed)


def test_a_run_whose_store_fails_and_whose_worker_dies_ends_as_one_that_is_left_alone(
    whole, failing, swift
):
    workspace, outcome, num_failed = failing
    assert outcome.exit_code == 0
    assert min(num_failed) >= 3
    state = state_of(workspace, outcome.summary)
    assert state.digests == whole.digests
    assert state.aliases == whole.aliases
    counts = ("num_runs", "num_versions", "num_models", "num_pointers")
    assert [getattr(state, x) for x in counts] == [getattr(whole, x) for x in counts]
    assert (state.doubled, state.unfinished) == ([], [])
    listed = swift.client.list_objects_v2(Bucket=BUCKET, Prefix="faults/training/")
    assert "Contents" not in listed


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
