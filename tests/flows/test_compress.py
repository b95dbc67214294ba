"""A tiny family, computed by the real command, and then by more calls in the same workspace."""

import json
from pathlib import Path

import mlflow
import numpy as np
import pytest

from flows.inputs import locate_inputs
from flows.stored import answer_from_store
from mixmatch.digests import file_digest
from mixmatch.layers import prunable_layers, weights_of
from mixmatch.packed import load_packed
from mixmatch.records import Artifact, DataRecord, SensitivityRecord
from mixmatch.strategies import METHOD_TEN
from tasks.fetch import load_split
from tasks.run_file import load_run_file
from tasks.site import Site
from tasks.tracking import connect
from tasks.versioning import restore_files
from tasks.workspace import Workspace
from tests.flows.command import Command, ids_of_flow_runs, run_command

pytestmark = pytest.mark.service

RUN_FILE = """
name: tiny
data: {name: digits, image_size: 16}
model: {architecture: test_resnet, train: {epochs: 2}}
fine_tune: {max_epochs: 1}
engine: {workers: 2, precision: float32}
"""
INSTANT = (
    *("fine_tune.max_epochs=0", "criteria=[magnitude,gradient]", "register.name=instant"),
    "latency=none",
)
TWO = (
    *("strategies=[conservative,aggressive]", "name=two", "register.enabled=false"),
    *("quantize=none", "latency=none"),
)


@pytest.fixture(scope="module")
def run_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("compress") / "run.yaml"
    file.write_text(RUN_FILE)
    return file


@pytest.fixture(scope="module")
def workspace(run_file):
    return run_file.with_name("workspace")


@pytest.fixture(scope="module")
def first(workspace, run_file):
    """The family, from an empty workspace."""
    return run_command(workspace, run_file)


@pytest.fixture(scope="module")
def repeated(first, workspace, run_file):
    """The same command again, through the flow."""
    return run_command(workspace, run_file, flags=["--through-flow"])


@pytest.fixture(scope="module")
def stored(repeated, workspace, run_file):
    """The same command again, answered from the store."""
    return run_command(workspace, run_file)


@pytest.fixture(scope="module")
def broken(repeated, workspace, run_file):
    """An instant family of two criteria; the scores vanish before one of them reads them."""
    command = Command(workspace, run_file, *INSTANT)
    command.await_stage("members")
    (scores,) = records_of(workspace, "sensitivity", SensitivityRecord)
    Site.at(Workspace(workspace)).open_store().path(scores.artifact).unlink()
    return command.outcome()


@pytest.fixture(scope="module")
def healed(broken, workspace, run_file):
    """The command that was broken, again."""
    return run_command(workspace, run_file, *INSTANT)


@pytest.fixture(scope="module")
def wounded(first, workspace, run_file):
    """Two members anew, in an empty store, by one worker that is killed at work."""
    store = workspace.with_name("other-store")
    command = Command(workspace, run_file, *TWO, "engine.workers=1", f"store={store}")
    command.kill_worker_at_work()
    return command.outcome()


@pytest.fixture(scope="module")
def site(workspace):
    return Site.at(Workspace(workspace))


@pytest.fixture(scope="module")
def client(first, site):
    return connect(site)


@pytest.fixture(scope="module")
def parent(first, client):
    return client.get_run(first.summary["run_id"])


def records_of(workspace, step, kind):
    """Return every record of a step in the workspace's store."""
    files = (workspace / "store" / "records" / step).glob("*.json")
    return [kind.model_validate(json.loads(file.read_text())["record"]) for file in files]


def packed_file(site, row):
    return site.open_store().path(Artifact(digest=row["digest"], size_bytes=row["bytes"]))


def children_of(client, parent):
    wanted = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    return client.search_runs([parent.info.experiment_id], wanted)


def members_in(task_runs):
    """Return the task runs of members: those named ``STRATEGY/CRITERION/SEED``."""
    return [row for row in task_runs if row[0].endswith(("/magnitude/0", "/gradient/0"))]


def on_a_front(row):
    return row["on_front"] or row["on_size_front"]


def digests(outcome):
    return {key: row["digest"] for key, row in outcome.rows.items()}


def test_a_finished_run_has_the_summary_that_the_flow_gives(repeated, stored):
    own = {"seconds", "from_store"}
    assert (repeated.summary["from_store"], stored.summary["from_store"]) == (False, True)
    assert set(stored.summary["seconds"]) == {"store", "total"}
    assert {k: v for k, v in stored.summary.items() if k not in own} == {
        k: v for k, v in repeated.summary.items() if k not in own
    }


def test_a_finished_run_starts_no_server_and_writes_nothing(repeated, stored):
    assert stored.exit_code == 0
    assert (stored.flow_runs, stored.task_runs) == ([], [])
    assert stored.num_tracked == repeated.num_tracked
    assert "services:" not in stored.stderr


@pytest.mark.parametrize("lost", ["report", "pointer", "alias", "setting"])
def test_a_finished_run_of_which_something_is_gone_goes_through_the_flow(
    stored, run_file, site, client, lost
):
    config, front = load_run_file(run_file), Path(stored.summary["report"])
    assert answer_from_store(config, site, locate_inputs(config, site)) is not None
    pointer = site.open_workspace().dvc / "family-tiny.dvc"
    versions = client.get_registered_model("tiny").aliases
    restored = {path: path.read_bytes() for path in (front, pointer)}
    if lost == "alias":
        client.delete_registered_model_alias("tiny", "smallest")
    elif lost == "setting":
        config = load_run_file(run_file, ["engine.workers=1"])
    else:
        (front if lost == "report" else pointer).unlink()
    try:
        assert answer_from_store(config, site, locate_inputs(config, site)) is None
    finally:
        client.set_registered_model_alias("tiny", "smallest", versions["smallest"])
        for path, content in restored.items():
            path.write_bytes(content)


def test_the_command_ends_well(first):
    assert first.exit_code == 0
    assert first.summary["failed"] == {}
    assert first.summary["cache"] == {"hits": 0, "misses": 13}


def test_every_strategy_of_the_method_has_its_row(first):
    names = [name for row in first.summary["results"] for name in (row["strategy"], *row["also"])]
    assert sorted(names) == sorted(METHOD_TEN)
    assert first.rows["balanced", "magnitude"]["also"] == ["percentile_50"]


def test_the_front_is_what_no_other_result_beats(first):
    points = [(r["sparsity"], r["validation_accuracy"]) for r in first.summary["results"]]
    beaten = [any(p < q and p[1] <= q[1] and p[0] <= q[0] for q in points) for p in points]
    assert [row["on_front"] for row in first.summary["results"]] == [not x for x in beaten]


def test_the_front_of_sizes_is_what_no_smaller_result_beats(first):
    points = [(-r["bytes"], r["validation_accuracy"]) for r in first.summary["results"]]
    beaten = [any(p != q and p[1] <= q[1] and p[0] <= q[0] for q in points) for p in points]
    assert [row["on_size_front"] for row in first.summary["results"]] == [not x for x in beaten]


def test_the_fronts_have_int8_files_and_the_others_none(first, site):
    rows = first.summary["results"]
    assert [row["int8"] is not None for row in rows] == [on_a_front(row) for row in rows]
    for row in filter(on_a_front, rows):
        int8 = row["int8"]
        file = packed_file(site, int8)
        assert (file_digest(file), file.stat().st_size) == (int8["digest"], int8["bytes"])
        assert int8["bytes"] < row["bytes"] / 2
        assert int8["sparsity"] >= row["sparsity"]
        assert row["accuracy"] - int8["accuracy"] == pytest.approx(int8["accuracy_loss"], abs=1e-12)
        low, high = int8["accuracy_loss_interval"]
        assert low <= int8["accuracy_loss"] <= high


def test_base_and_fronts_are_timed_in_three_runtimes(first):
    latency = first.summary["latency"]
    rows = [row for row in first.summary["results"] if on_a_front(row)]
    names = ["base", *(f"{row['strategy']}/magnitude/0" for row in rows)]
    assert list(dict.fromkeys(x["network"] for x in latency["rows"])) == names
    assert {(x["runtime"], x["batch"]) for x in latency["rows"]} >= {
        (runtime, batch) for runtime in ("torch", "onnx", "onnx-int8") for batch in (1, 32)
    }
    assert all(0 < x["low_s"] <= x["median_s"] <= x["high_s"] for x in latency["rows"])


def test_sparsity_and_size_are_those_of_the_stored_networks(first, site):
    for row in first.summary["results"]:
        file = packed_file(site, row)
        model = load_packed(file)
        weights = weights_of(model, prunable_layers(model)).values()
        num_nonzero = sum(int(weight.count_nonzero()) for weight in weights)
        num_weights = sum(weight.numel() for weight in weights)
        assert (num_nonzero, 1 - num_nonzero / num_weights) == (
            row["num_nonzero"],
            pytest.approx(row["sparsity"], abs=1e-12),
        )
        assert (file_digest(file), file.stat().st_size) == (row["digest"], row["bytes"])


def test_prefect_knows_the_end_of_every_task_and_flow_run(first):
    assert {state for _, state in first.task_runs} == {"COMPLETED"}
    # The second fan-out rounds the fronts.
    assert first.flow_runs == [("compress-tiny", "COMPLETED"), *[("fan-out", "COMPLETED")] * 2]
    wanted = [(f"{x['strategy']}/magnitude/0", "COMPLETED") for x in first.summary["results"]]
    assert members_in(first.task_runs) == sorted(wanted)


def test_prefect_keeps_results_as_json(first, workspace):
    files = [x for x in (workspace / "prefect" / "results").rglob("*") if x.is_file()]
    results = [json.loads(file.read_text()) for file in files]
    assert len(results) >= 13
    assert {result["metadata"]["serializer"]["type"] for result in results} == {"json"}


def test_mlflow_holds_the_run_and_a_child_per_result(first, client, parent):
    assert parent.info.status == "FINISHED"
    assert [x.dataset.name for x in parent.inputs.dataset_inputs] == ["digits"]
    assert parent.data.params["fine_tune.max_epochs"] == "1"
    children = {child.data.params["strategy"]: child for child in children_of(client, parent)}
    assert set(children) == {row["strategy"] for row in first.summary["results"]}
    for row in first.summary["results"]:
        child = children[row["strategy"]]
        assert child.info.status == "FINISHED"
        assert child.data.metrics["sparsity"] == row["sparsity"]
        assert child.data.metrics["test_accuracy"] == row["accuracy"]
        assert child.data.tags["mixmatch.digest"] == row["digest"]
        assert len(client.get_metric_history(child.info.run_id, "train_loss")) == 1


def test_the_fronts_are_registered_with_their_aliases(first, client):
    front = [row for row in first.summary["results"] if on_a_front(row)]
    versions = client.search_model_versions("name = 'tiny'")
    found = {int(version.version): version.tags["digest"] for version in versions}
    assert found == {row["model_version"]: row["digest"] for row in front}
    int8 = {int(version.version): version.tags["int8.digest"] for version in versions}
    assert int8 == {row["model_version"]: row["int8"]["digest"] for row in front}
    assert all("median_s" in version.tags["latency"] for version in versions)
    best = max(front, key=lambda row: (row["validation_accuracy"], row["sparsity"]))
    smallest = min(front, key=lambda row: row["bytes"])
    aliases = client.get_registered_model("tiny").aliases
    assert {name: int(version) for name, version in aliases.items()} == {
        "most-accurate": best["model_version"],
        "smallest": smallest["model_version"],
    }


def test_a_registered_version_classifies_as_the_table_says(first, client, site, workspace):
    (data,) = records_of(workspace, "fetch", DataRecord)
    test = load_split(site.open_store().path(data.artifact), "test")
    version = client.get_model_version_by_alias("tiny", "most-accurate")
    row = first.rows[version.tags["strategy"], "magnitude"]
    model = mlflow.pyfunc.load_model(version.source)  # pickle is off since ``connect``
    right = model.predict(test.images.numpy()).argmax(axis=1) == test.labels.numpy()
    assert np.mean(right) == pytest.approx(row["accuracy"], abs=1e-12)


def test_the_report_with_its_reference_lines_is_an_artifact_of_the_run(
    first, client, parent, tmp_path
):
    logged = client.download_artifacts(parent.info.run_id, "report.html", str(tmp_path))
    report = Path(logged).read_bytes()
    assert report == Path(first.summary["report"]).read_bytes()
    assert b"MAG at 0.9, not fine-tuned" in report


def test_the_logged_pointers_bring_the_exact_bytes_back(first, client, parent, site, tmp_path):
    family, data = (restored(client, parent, site, tmp_path, x) for x in ("family", "data"))
    for row in first.summary["results"]:
        assert family[f"{row['strategy']}-magnitude-0.safetensors"] == row["digest"]
        if row["int8"]:
            assert (
                family[f"{row['strategy']}-magnitude-0-int8.safetensors"] == (row["int8"]["digest"])
            )
    assert family["base.safetensors"] == first.summary["base"]["digest"]
    assert set(data) == {"dataset.safetensors"}


def restored(client, parent, site, tmp_path, name):
    """Return the digests of the files that the logged pointer stands for."""
    folder = client.download_artifacts(parent.info.run_id, f"dvc/{name}", str(tmp_path))
    (pointer,) = (tmp_path / folder).iterdir()
    assert parent.data.tags[f"dvc.{name}.md5"] in pointer.read_text()
    restore_files(site, pointer, tmp_path / "restored" / name)
    files = (x for x in (tmp_path / "restored" / name).iterdir() if x.is_file())
    return {x.name: file_digest(x) for x in files}


def test_openlineage_hears_of_the_run_with_the_digests_of_the_registry(first, workspace, client):
    begin, end, *_ = events_in(workspace)
    assert (begin["eventType"], end["eventType"]) == ("START", "COMPLETE")
    assert begin["run"]["runId"] == end["run"]["runId"]
    assert begin["run"]["runId"] in ids_of_flow_runs(workspace, "compress-tiny")
    assert (end["job"]["namespace"], end["job"]["name"]) == ("mixmatch", "tiny")
    versions = client.search_model_versions("name = 'tiny'")
    tags = versions[0].tags
    (data,), (base, *others) = end["inputs"], end["outputs"]
    assert (data["namespace"], data["name"]) == ("mixmatch", "data/digits")
    assert version_of(data) == version_of(begin["inputs"][0]) == tags["data.source_digest"]
    assert own_tags(data) == {"data.digest": tags["data.digest"]}
    assert data["inputFacets"]["inputStatistics"]["rowCount"] == 1797
    assert version_of(base) == tags["base.digest"]
    assert file_digest(Path(base["name"])) == tags["base.digest"]
    assert {x["name"]: version_of(x) for x in others} == {
        f"models:/tiny/{x.version}": x.tags["digest"] for x in versions
    }
    tags = own_tags(end["run"])
    assert tags.pop("openlineage_client_version")  # of the client's own accord
    assert tags == {
        "settings.digest": client.get_run(first.summary["run_id"]).data.tags["settings.digest"],
        "mlflow.run_id": first.summary["run_id"],
    }


def test_openlineage_hears_of_each_run_of_the_flow_and_of_no_answer_from_the_store(
    repeated, stored, broken, workspace
):
    assert "OpenLineage" not in repeated.stderr + stored.stderr + broken.stderr
    events = events_in(workspace)
    assert [x["eventType"] for x in events[:6]] == ["START", "COMPLETE"] * 2 + ["START", "FAIL"]
    assert len({x["run"]["runId"] for x in events[:6]}) == 3
    assert events[3]["outputs"] == events[1]["outputs"]
    reason = events[5]["run"]["facets"]["errorMessage"]["message"]
    assert reason.startswith("9 results failed: ")
    front = {row["digest"] for row in broken.summary["results"] if on_a_front(row)}
    assert {version_of(x) for x in events[5]["outputs"][1:]} == front


def events_in(workspace):
    """Return the events of the runs called tiny, in their order."""
    events = map(json.loads, (workspace / "openlineage.jsonl").read_text().splitlines())
    return [x for x in events if x["job"]["name"] == "tiny"]


def version_of(dataset):
    return dataset["facets"]["version"]["datasetVersion"]


def own_tags(of):
    return {x["key"]: x["value"] for x in of["facets"]["tags"]["tags"]}


def test_the_same_command_again_finds_everything(first, repeated):
    assert repeated.exit_code == 0
    assert repeated.summary["cache"] == {"hits": 13, "misses": 0}
    assert all(row["cached"] for row in repeated.summary["results"])
    again = [row | {"cached": False} for row in repeated.summary["results"]]
    assert again == first.summary["results"]
    assert repeated.summary["latency"] == first.summary["latency"]


def test_the_same_command_again_tracks_and_registers_nothing_anew(first, repeated):
    assert repeated.summary["run_id"] == first.summary["run_id"]
    assert repeated.num_tracked == first.num_tracked
    assert {state for _, state in repeated.task_runs} == {"COMPLETED"}
    assert len(members_in(repeated.task_runs)) == 9


def test_other_fine_tuning_and_one_more_criterion_compute_members_only(broken):
    assert broken.summary["cache"] == {"hits": 4, "misses": 18}
    assert broken.summary["seconds"]["members"] < 10 * 18


def test_members_that_fail_lose_no_other(broken):
    failed = broken.summary["failed"]
    assert broken.exit_code == 1
    assert len(broken.rows) == len(failed) == 9
    assert {criterion for _, criterion in broken.rows} == {"magnitude"}
    assert "aggressive/gradient/0" in failed
    assert "9 of 18 results failed" in broken.stderr
    assert "Traceback" not in broken.stderr


def test_the_others_are_registered_and_the_run_ends_failed(broken, client):
    front = {row["digest"] for row in broken.summary["results"] if on_a_front(row)}
    versions = client.search_model_versions("name = 'instant'")
    assert front <= {version.tags["digest"] for version in versions}
    assert all(row["model_version"] for row in broken.summary["results"] if on_a_front(row))
    assert ("compress-tiny", "FAILED") in broken.flow_runs
    states = dict(members_in(broken.task_runs))
    assert states["aggressive/gradient/0"] == "FAILED"
    assert states["aggressive/magnitude/0"] == "COMPLETED"


def test_a_run_that_failed_is_completed_by_the_next(broken, healed, client):
    assert (healed.exit_code, healed.summary["failed"]) == (0, {})
    assert healed.summary["cache"] == {"hits": 12, "misses": 10}
    assert healed.summary["run_id"] == broken.summary["run_id"]
    run = client.get_run(healed.summary["run_id"])
    assert run.info.status == "FINISHED"
    assert "mixmatch.failed" not in run.data.tags
    assert len(children_of(client, run)) == 18


def test_a_killed_worker_and_another_number_of_workers_change_no_figure(first, wounded):
    assert wounded.exit_code == 0
    assert wounded.summary["cache"] == {"hits": 0, "misses": 6}
    assert wounded.summary["base"]["digest"] == first.summary["base"]["digest"]
    assert digests(wounded) == {key: digests(first)[key] for key in wounded.rows}
    assert {state for _, state in wounded.task_runs} == {"COMPLETED", "CRASHED"}
