"""A study that is killed, continued, and at last read from its rows alone."""

import csv
import json
import shutil

import pytest

from flows.server import end_orphans
from tasks.workspace import Workspace
from tests.flows.command import Command, run_command

pytestmark = pytest.mark.service

RUN_FILE = """
name: tiny
data: {name: digits, image_size: 16}
model: {architecture: test_resnet, train: {epochs: 2}}
strategies: [conservative, balanced, aggressive]
fine_tune: {max_epochs: 1}
compare: [dense, MAG]
seeds: [0, 1]
engine: {workers: 2}
"""
NUM_ROWS = 1 + 3 * 2 + 2 + 3 * 2  # base, family, control, rival


@pytest.fixture(scope="module")
def run_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("study") / "run.yaml"
    file.write_text(RUN_FILE)
    return file


@pytest.fixture(scope="module")
def results(run_file):
    return run_file.with_name("results")


def rows_in(results):
    """Return the whole lines of the rows' file."""
    text = (results / "rows.jsonl").read_text() if (results / "rows.jsonl").exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


@pytest.fixture(scope="module")
def killed(run_file, results):
    """The rows that a study leaves which is killed after its third."""
    command = Command(run_file.with_name("workspace"), run_file, results=results)
    command.await_that(lambda: len(rows_in(results)) >= 3)
    command.kill()
    return rows_in(results)


@pytest.fixture(scope="module")
def continued(killed, run_file, results):
    """The same command again, without the workspace and the weights that the first one made."""
    end_orphans(Workspace(run_file.with_name("workspace")))
    shutil.rmtree(run_file.with_name("workspace"), ignore_errors=True)
    return run_command(run_file.with_name("other"), run_file, results=results)


@pytest.fixture(scope="module")
def again(continued, run_file, results):
    """The same command once more: nothing is left to compute."""
    return run_command(run_file.with_name("third"), run_file, results=results)


def test_a_killed_study_keeps_its_finished_rows(killed):
    assert len(killed) >= 3
    assert killed[0]["kind"] == "base"


def test_it_continues_from_the_rows_alone(killed, continued, results):
    assert (continued.exit_code, continued.summary["failed"]) == (0, {})
    assert continued.summary["num_rows"] == NUM_ROWS
    assert continued.summary["num_new"] == NUM_ROWS - len(killed)
    assert rows_in(results)[: len(killed)] == killed


def test_everything_on_a_front_has_its_int8_file(continued, results):
    with (results / "summary.csv").open() as file:
        summary = list(csv.DictReader(file))
    files = [json.loads(line) for line in (results / "int8.jsonl").read_text().splitlines()]
    labels = {file["label"] for file in files}
    on_front = [row for row in summary if row["on_front"] == "true"]
    assert on_front
    for row in on_front:
        assert {f"{row['label']}/{seed}" for seed in row["seeds"].split()} <= labels
        assert 0 < float(row["int8_bytes"]) < float(row["bytes"])
        assert 0.0 <= float(row["int8_test_mean"]) <= 1.0
    # Each rival has a front of its own.
    assert any(label.startswith("MAG@") for label in labels)
    assert all(file["num_nonzero"] > 0 for file in files)


def test_the_tables_hold_every_result_and_every_comparison(continued, results):
    with (results / "results.csv").open() as file:
        found = list(csv.DictReader(file))
    assert len(found) == NUM_ROWS
    with (results / "comparisons.csv").open() as file:
        compared = list(csv.DictReader(file))
    assert len(compared) == 3
    assert all(0.0 <= float(row["probability"]) <= 1.0 for row in compared)


def test_figures_and_page_are_there(continued, results):
    for name in ("accuracy.svg", "accuracy.png", "layers.svg", "layers.png", "README.md"):
        assert (results / name).stat().st_size > 500
    assert "mixmatch study" in (results / "README.md").read_text()


def test_a_complete_study_starts_nothing(again, run_file):
    assert (again.exit_code, again.summary["num_new"]) == (0, 0)
    assert not (run_file.with_name("third") / "prefect").exists()


def test_another_study_may_not_use_the_folder(continued, run_file, results):
    other = Command(run_file.with_name("other"), run_file, "seeds=[3]", results=results)
    stdout, _ = other.process.communicate(timeout=120)
    assert (other.process.returncode, stdout) == (2, "")
    assert "seeds" in other._stderr.read_text().splitlines()[-1]
