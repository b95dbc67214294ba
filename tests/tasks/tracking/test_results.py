from tasks.tracking import record_result, record_rival
from tasks.tracking.results import result_metrics


def _curve(client, run_id, name):
    return [(point.step, point.value) for point in client.get_metric_history(run_id, name)]


def test_a_result_is_a_finished_child_of_its_flow(site, parent_run, client, make_result):
    result = make_result(also=("percentile_50",))
    child = client.get_run(record_result(site, parent_run, result, name="balanced/magnitude/0"))
    assert (child.info.run_name, child.info.status) == ("balanced/magnitude/0", "FINISHED")
    assert child.data.tags["mlflow.parentRunId"] == parent_run
    assert child.data.tags["mixmatch.key"] == result.key
    assert child.data.tags["mixmatch.digest"] == result.member.artifact.digest
    assert child.data.tags["mixmatch.mask_digest"] == result.member.mask_digest
    assert child.data.params == {
        "strategy": "balanced",
        "also": '["percentile_50"]',
        "criterion": "magnitude",
        "seed": "0",
        "num_weights": "1000",
        "num_parameters": "1100",
    }


def test_curves_have_one_point_per_epoch(site, parent_run, client, make_result):
    child = record_result(site, parent_run, make_result(), name="x")
    assert _curve(client, child, "train_loss") == [(0, 0.5), (1, 0.25)]
    assert _curve(client, child, "validation_accuracy") == [(0, 0.7), (1, 0.9)]


def test_the_final_figures_are_those_of_the_record(make_result):
    assert result_metrics(make_result()) == {
        "sparsity": 0.8,
        "sparsity_of_all": 0.8 * 1000 / 1100,
        "num_nonzero": 200,
        "bytes": 1000,
        "validation_accuracy_after_mask": 0.4,
        "validation_accuracy_after_batch_norm": 0.6,
        "validation_accuracy_final": 0.9,
        "test_accuracy": 0.86875,
        "test_accuracy_low": 0.86875 - 0.02,
        "test_accuracy_high": 0.86875 + 0.02,
        "test_loss": 1 - 0.86875,
        "accuracy_drop": 0.0625,
        "best_epoch": 1,
        "seconds": 2.5,
    }


def test_recording_again_adds_nothing(site, parent_run, client, make_result):
    first = record_result(site, parent_run, make_result(), name="x")
    before = client.get_run(first).to_dictionary()
    assert record_result(site, parent_run, make_result(cached=True), name="x") == first
    assert client.get_run(first).to_dictionary() == before
    for name in before["data"]["metrics"]:
        points = _curve(client, first, name)
        assert len(points) == len(set(points)), name


def test_the_standing_on_the_front_may_change(site, parent_run, client, make_result):
    child = record_result(site, parent_run, make_result(), name="x")
    record_result(site, parent_run, make_result(on_front=False, front_share=0.25), name="x")
    run = client.get_run(child)
    assert (run.data.metrics["on_front"], run.data.metrics["front_share"]) == (0, 0.25)
    assert run.data.tags["mixmatch.on_front"] == "false"
    assert run.data.tags["mixmatch.front_share"] == "0.25"
    assert run.info.status == "FINISHED"


def test_an_int8_file_and_a_latency_may_come_later(
    site, parent_run, client, make_result, make_int8, make_latency
):
    result = make_result()
    child = record_result(site, parent_run, result, name="x")
    result = result.model_copy(update={"int8": make_int8(), "on_size_front": True})
    timed = make_latency("b" * 64, result.member.artifact.digest)
    record_result(site, parent_run, result, name="x", latency=timed)
    run = client.get_run(child)
    metrics = {name: x for name, x in run.data.metrics.items() if name.startswith(("int8", "lat"))}
    assert metrics == {
        "int8.bytes": 400,
        "int8.sparsity": 0.755,
        "int8.num_nonzero": 490,
        "int8.validation_accuracy": 0.5,
        "int8.test_accuracy": 0.5,
        "int8.accuracy_loss": 0.86875 - 0.5,
        "latency.torch.batch_1_s": 2e-3,
        "latency.onnx.batch_1_s": 2e-3,
    }
    assert run.data.tags["mixmatch.int8_digest"] == "8" * 64
    assert run.data.tags["mixmatch.on_size_front"] == "true"
    before = run.to_dictionary()
    record_result(site, parent_run, result, name="x", latency=timed)
    assert client.get_run(child).to_dictionary() == before


def test_an_interrupted_child_is_completed_without_double_points(
    site, parent_run, client, make_result
):
    result = make_result()
    experiment = client.get_run(parent_run).info.experiment_id
    tags = {"mlflow.parentRunId": parent_run, "mixmatch.key": result.key}
    child = client.create_run(experiment, tags=tags).info.run_id
    client.log_metric(child, "train_loss", 0.5, step=0)
    client.log_metric(child, "sparsity", 0.8)
    assert record_result(site, parent_run, result, name="x") == child
    assert _curve(client, child, "train_loss") == [(0, 0.5), (1, 0.25)]
    assert _curve(client, child, "sparsity") == [(0, 0.8)]


def test_the_same_result_under_another_flow_is_another_child(
    site, parent_run, config, data, make_result
):
    from tasks.tracking import open_run

    other = open_run(site, name="b", key="o" * 64, config=config, data=data, tags={})
    children = {record_result(site, run, make_result(), name="x") for run in (parent_run, other)}
    assert len(children) == 2


def test_an_instant_result_has_no_curves(site, parent_run, client, make_result):
    result = make_result()
    member = result.member.model_copy(update={"epochs": (), "best_epoch": -1})
    child = record_result(site, parent_run, result.model_copy(update={"member": member}), name="x")
    assert "train_loss" not in client.get_run(child).data.metrics


def test_a_rival_is_a_finished_child_without_a_place_on_the_front(
    site, parent_run, client, make_rival
):
    rival = make_rival()
    child = client.get_run(record_rival(site, parent_run, rival, name="SNIP@0.75/2"))
    assert (child.info.run_name, child.info.status) == ("SNIP@0.75/2", "FINISHED")
    assert child.data.params == {
        "rival": "SNIP",
        "sparsity": "0.75",
        "seed": "2",
        "num_weights": "1000",
        "num_parameters": "1100",
    }
    tags = child.data.tags
    assert (tags["kind"], tags["mlflow.parentRunId"]) == ("rival", parent_run)
    assert (tags["mixmatch.key"], tags["mixmatch.digest"]) == (
        rival.key,
        rival.member.artifact.digest,
    )
    metrics = child.data.metrics
    assert (metrics["test_accuracy"], metrics["accuracy_drop"]) == (0.86875, 0.125)
    assert metrics["sparsity"] == 0.8
    assert not [x for x in (*tags, *metrics) if "front" in x]
    assert _curve(client, child.info.run_id, "train_loss") == [(0, 0.5), (1, 0.25)]


def test_recording_a_rival_again_adds_nothing(site, parent_run, client, make_rival):
    first = record_rival(site, parent_run, make_rival(), name="x")
    before = client.get_run(first).to_dictionary()
    assert record_rival(site, parent_run, make_rival(cached=True), name="x") == first
    assert client.get_run(first).to_dictionary() == before
