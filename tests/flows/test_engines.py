"""The same family, bit for bit, from workers that the run starts and from an existing cluster."""

import shutil

import pytest

from tests.flows.command import run_command
from tests.flows.dask_cluster import dask_cluster

pytestmark = pytest.mark.service

RUN_FILE = """
name: tiny
data: {name: digits, image_size: 16, train_limit: 400}
model: {architecture: test_resnet, train: {epochs: 1}}
strategies: [conservative, balanced, aggressive]
fine_tune: {max_epochs: 1}
latency: none
"""


@pytest.fixture(scope="module")
def run_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("engines") / "run.yaml"
    file.write_text(RUN_FILE)
    return file


@pytest.fixture(scope="module")
def local(run_file):
    return run_command(run_file.with_name("local"), run_file, "engine.workers=1")


@pytest.fixture(scope="module")
def distributed(local, run_file, tmp_path_factory):
    """The same from the same base, with a store that holds nothing of the members."""
    ours, theirs = (
        run_file.with_name("local") / "store",
        run_file.with_name("distributed") / "store",
    )
    shutil.copytree(ours, theirs)
    for step in ("member", "quantize"):
        shutil.rmtree(theirs / "records" / step)
    with dask_cluster(tmp_path_factory.mktemp("dask"), num_workers=2) as cluster:
        engine = f"engine={{kind: dask, address: '{cluster.address}'}}"
        yield run_command(run_file.with_name("distributed"), run_file, engine)


def figures(outcome):
    read = ("sparsity", "validation_accuracy", "accuracy", "bytes", "digest", "on_front")
    return {key: [row[name] for name in read] for key, row in outcome.rows.items()}


def test_both_engines_come_to_the_same_files(local, distributed):
    assert (local.exit_code, distributed.exit_code) == (0, 0)
    assert len(local.rows) == 3
    assert figures(distributed) == figures(local)
    int8 = [
        [x["int8"] and x["int8"]["digest"] for x in y.rows.values()] for y in (local, distributed)
    ]
    assert int8[0] == int8[1]
    assert any(int8[0])


def test_every_job_of_the_cluster_is_a_finished_task_run(local, distributed):
    assert {name for name, _ in distributed.task_runs} == {name for name, _ in local.task_runs}
    assert {state for _, state in distributed.task_runs} == {"COMPLETED"}
    assert {state for _, state in distributed.flow_runs} == {"COMPLETED"}


def test_a_run_says_how_many_members_of_the_cluster_are_done(distributed):
    assert "balanced/magnitude/0 done (" in distributed.stderr
