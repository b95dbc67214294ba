"""Families with rivals, in a chain, at targets that the run finds, and under a budget of epochs."""

import base64
import json
from itertools import pairwise

import numpy as np
import pytest

from mixmatch.packed import read_packed
from mixmatch.records import Artifact, MemberRecord, TargetsRecord
from tasks.site import Site
from tasks.workspace import Workspace
from tests.flows.command import run_command

pytestmark = pytest.mark.service

RUN_FILE = """
name: tiny
data: {name: digits, image_size: 16}
model: {architecture: test_resnet, train: {epochs: 2}}
strategies: [aggressive, conservative, balanced, classifier_heavy]
fine_tune: {max_epochs: 1, learning_rate: 1.0e-3}
engine: {workers: 2}
latency: none
"""
CHAIN = (
    "fine_tune.order=chain",
    "ranges.targets=auto",
    "ranges.largest_loss=0.1",
    "compare=[dense,MAG,random]",
    "compare_sparsities=[0.5]",
    "seeds=[0,1]",
)
BUDGET = (
    "fine_tune.budget={epochs: 5}",
    "fine_tune.patience=9",
    "criteria=[magnitude,product]",
    "name=budget",
)


@pytest.fixture(scope="module")
def run_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("compare") / "run.yaml"
    file.write_text(RUN_FILE)
    return file


@pytest.fixture(scope="module")
def workspace(run_file):
    return run_file.with_name("workspace")


@pytest.fixture(scope="module")
def chained(workspace, run_file):
    return run_command(workspace, run_file, *CHAIN)


@pytest.fixture(scope="module")
def stored_before(chained, workspace):
    stored = records(workspace, "member", MemberRecord)
    return {(inputs["criterion"], record.artifact.digest) for inputs, record in stored}


@pytest.fixture(scope="module")
def frugal(stored_before, workspace, run_file):
    return run_command(workspace, run_file, *BUDGET)


def records(workspace, step, kind):
    files = (workspace / "store" / "records" / step).glob("*.json")
    stored = [json.loads(file.read_text()) for file in files]
    return [(x["inputs"], kind.model_validate(x["record"])) for x in stored]


def weights_of(workspace, row):
    store = Site.at(Workspace(workspace)).open_store()
    return read_packed(store.path(Artifact(digest=row["digest"], size_bytes=row["bytes"]))).state


def test_the_run_ends_well(chained):
    assert (chained.exit_code, chained.summary["failed"]) == (0, {})
    assert {state for _, state in chained.task_runs} == {"COMPLETED"}


def test_targets_are_found_and_said(chained, workspace):
    ((_, found),) = records(workspace, "targets", TargetsRecord)
    assert list(found.targets) == sorted(set(found.targets))
    assert all(probe.strategy in {"conservative", "aggressive"} for probe in found.probes)


def test_every_link_of_a_chain_keeps_only_what_the_one_before_kept(chained, workspace):
    for seed in (0, 1):
        rows = {x["strategy"]: x for x in chained.summary["results"] if x["seed"] == seed}
        names = ("conservative", "balanced", "aggressive")
        nets = [weights_of(workspace, rows[name]) for name in names]
        for before, after in pairwise(nets):
            for name, weight in after.items():
                if name.endswith("conv1.weight"):
                    assert not (weight.ne(0) & before[name].eq(0)).any()


def test_a_link_starts_from_the_network_before_it(chained, workspace):
    stored = records(workspace, "member", MemberRecord)
    starts = [inputs["start"] for inputs, _ in stored if "start" in inputs]
    assert len(starts) == 4  # balanced and aggressive, for two seeds


def test_rivals_stand_beside_the_family_and_never_on_the_front(chained):
    rivals = [(x["rival"], x["sparsity_asked"], x["seed"]) for x in chained.summary["compare"]]
    assert rivals == [
        *(("dense", 0.0, seed) for seed in (0, 1)),
        *(("MAG", 0.5, seed) for seed in (0, 1)),
        *(("random", 0.5, seed) for seed in (0, 1)),
    ]
    by_rival = {x["rival"]: x for x in chained.summary["compare"]}
    assert by_rival["dense"]["sparsity"] < 0.01
    assert by_rival["MAG"]["sparsity"] == pytest.approx(0.5, abs=1e-4)
    assert {x["strategy"] for x in chained.summary["results"]}.isdisjoint(by_rival)


def test_a_budget_of_epochs_is_kept_and_every_configuration_has_its_row(
    frugal, stored_before, workspace
):
    assert (frugal.exit_code, frugal.summary["failed"]) == (0, {})
    asked = {(x["strategy"], x["criterion"]) for x in frugal.summary["results"]}
    assert len(asked) == len(frugal.summary["results"]) == 8
    trained = [
        record
        for inputs, record in records(workspace, "member", MemberRecord)
        if record.epochs and (inputs["criterion"], record.artifact.digest) not in stored_before
    ]
    # Eight configurations, five epochs: two of them for one, the better one for three more.
    assert sorted(len(record.epochs) for record in trained) == [1, 1, 3]


def test_a_configuration_under_a_budget_stands_at_its_best_round(frugal, stored_before, workspace):
    best, of = {}, {}
    for inputs, record in records(workspace, "member", MemberRecord):
        point, num_correct = of[record.artifact.digest] = point_and_right(inputs, record)
        best[point] = max(best.get(point, 0), num_correct)
    for row in frugal.summary["results"]:
        point, num_correct = of[row["digest"]]
        assert num_correct == best[point]


def point_and_right(inputs, record):
    point = (inputs["criterion"], json.dumps(inputs["num_pruned"], sort_keys=True))
    return point, record.validation.num_correct


def test_the_correctness_of_every_image_is_kept(frugal, workspace):
    for _, record in records(workspace, "member", MemberRecord):
        bits = np.unpackbits(np.frombuffer(base64.b64decode(record.test.correct_bits), np.uint8))
        assert bits[: record.test.num_images].sum() == record.test.num_correct
