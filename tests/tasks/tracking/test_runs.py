import json

import yaml

from tasks.tracking import close_run, open_run
from tasks.tracking.runs import family_metrics, flat_settings


def _artifacts(client, run_id, path=None):
    files = client.list_artifacts(run_id, path)
    return sorted(
        name
        for file in files
        for name in (_artifacts(client, run_id, file.path) if file.is_dir else [file.path])
    )


def _open(site, config, data):
    return open_run(
        site, name="night", key="k" * 64, config=config, data=data, tags={"flow_run": "f"}
    )


def _close(site, run_id, family, tmp_path, *, failed=False):
    report, pointer = tmp_path / "report.html", tmp_path / "digits.dvc"
    report.write_text("<html></html>")
    pointer.write_text("outs: []\n")
    close_run(
        site,
        run_id,
        family=family,
        report=report,
        pointers={"data": pointer},
        tags={"dvc.data": "m" * 32},
        failed=failed,
    )


def test_a_new_run_holds_settings_tags_and_the_run_file(site, config, data, client):
    run = client.get_run(_open(site, config, data))
    assert (run.info.run_name, run.info.status) == ("night", "RUNNING")
    assert client.get_experiment(run.info.experiment_id).name == "digits-test_resnet"
    assert (run.data.tags["mixmatch.key"], run.data.tags["flow_run"]) == ("k" * 64, "f")
    assert run.data.params["model.train.epochs"] == "8"
    place = site.open_workspace().mlflow_artifacts
    text = next(place.rglob("run.yaml")).read_text()
    assert yaml.safe_load(text)["ranges"]["layers"] == {"layer*.conv?": [0.1, 0.2]}


def test_the_data_set_is_an_input_with_its_digest(site, config, data, client):
    run = client.get_run(_open(site, config, data))
    (found,) = run.inputs.dataset_inputs
    assert (found.dataset.name, found.dataset.digest) == ("digits", "d" * 36)
    assert json.loads(found.dataset.profile)["source_digest"] == "d" * 64
    assert [(tag.key, tag.value) for tag in found.tags] == [("mlflow.data.context", "training")]


def test_a_data_set_from_the_network_has_its_address_as_source(site, config, data, client):
    import mlflow.data

    address = "https://data.example/digits.zip"
    run_id = _open(site, config, data.model_copy(update={"source": address}))
    (found,) = client.get_run(run_id).inputs.dataset_inputs
    assert mlflow.data.get_source(found).url == address


def test_a_killed_run_is_resumed(site, config, data, client):
    first = _open(site, config, data)
    client.set_terminated(first, "KILLED")
    again = _open(site, config, data)
    assert again == first
    assert client.get_run(first).info.status == "RUNNING"


def test_a_finished_run_is_left_as_it_is(site, config, data, client, make_family, tmp_path):
    first = _open(site, config, data)
    _close(site, first, make_family(), tmp_path)
    before = client.get_run(first).to_dictionary()
    again = _open(site, config, data)
    assert again == first
    _close(site, first, make_family(), tmp_path)
    assert client.get_run(first).to_dictionary() == before


def test_another_key_is_another_run(site, config, data):
    first = _open(site, config, data)
    other = open_run(site, name="night", key="o" * 64, config=config, data=data, tags={})
    assert other != first


def test_closing_keeps_figures_files_and_status(
    site, parent_run, client, make_family, make_result, tmp_path
):
    _close(site, parent_run, make_family(make_result()), tmp_path)
    run = client.get_run(parent_run)
    assert run.info.status == "FINISHED"
    assert run.data.tags["dvc.data"] == "m" * 32
    assert run.data.metrics["num_results"] == 1
    assert 0 <= run.data.metrics["seconds"] < 600
    assert _artifacts(client, parent_run) == ["dvc/data/digits.dvc", "report.html", "run.yaml"]


def test_a_failed_run_says_why_and_can_be_finished_later(
    site, config, data, parent_run, client, make_family, make_result, tmp_path
):
    reasons = {"aggressive/magnitude/0": "TrainingError: loss is NaN"}
    family = make_family(make_result(), failed=reasons)
    _close(site, parent_run, family, tmp_path, failed=True)
    run = client.get_run(parent_run)
    assert run.info.status == "FAILED"
    assert json.loads(run.data.tags["mixmatch.failed"]) == reasons
    assert _open(site, config, data) == parent_run
    _close(site, parent_run, make_family(make_result()), tmp_path)
    run = client.get_run(parent_run)
    assert (run.info.status, run.data.metrics["num_failed"]) == ("FINISHED", 0)
    assert "mixmatch.failed" not in run.data.tags
    assert len(client.get_metric_history(parent_run, "num_results")) == 1


def test_settings_become_dotted_names_and_free_tables_stay_whole(config):
    flat = flat_settings(config)
    assert flat["data.name"] == "digits"
    assert flat["name"] == "null"
    assert flat["criteria"] == '["magnitude"]'
    assert flat["register.enabled"] == "true"
    assert flat["ranges.constraints.patch_embedding"] == "[0.15, 0.3]"
    assert flat["ranges.layers"] == '{"layer*.conv?": [0.1, 0.2]}'
    assert flat["fine_tune.learning_rate"] == "5e-05"


def test_the_summary_counts_and_picks_by_validation_among_the_sparse(make_family, make_result):
    family = make_family(
        make_result("dense", sparsity=0.5, accuracy=0.95),
        make_result("sparse", sparsity=0.8, accuracy=0.9),
        make_result("sparser", sparsity=0.9, accuracy=0.85, on_front=False, on_size_front=True),
        failed={"other": "why"},
    )
    assert family_metrics(family) == {
        "num_results": 3,
        "num_failed": 1,
        "front_size": 2,
        "num_on_size_front": 1,
        "base_validation_accuracy": 0.95,
        "base_test_accuracy": 0.9375,
        "best_validation_accuracy_sparse": 0.9,
        "best_accuracy_sparse": 0.86875,
    }


def test_a_family_without_sparse_members_has_no_figure_for_them(make_family, make_result):
    assert "best_accuracy_sparse" not in family_metrics(make_family(make_result(sparsity=0.79)))


def test_the_summary_says_how_long_the_base_takes(make_family, make_result, make_latency):
    result = make_result()
    family = make_family(result)
    timed = make_latency(family.base.artifact.digest, result.member.artifact.digest)
    metrics = family_metrics(family.model_copy(update={"latency": timed}))
    found = {name: value for name, value in metrics.items() if name.startswith("latency")}
    assert found == {"latency.torch.batch_1_s": 1e-3, "latency.onnx.batch_1_s": 1e-3}
