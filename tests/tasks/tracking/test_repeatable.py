from tasks.tracking.repeatable import KEY_TAG, PARENT_TAG, find_run, put


def test_a_run_is_found_by_its_key_below_its_parent(client):
    one, other = (client.create_run("0", tags={KEY_TAG: "k", PARENT_TAG: p}) for p in "ab")
    assert find_run(client, "0", "k", parent="b").info.run_id == other.info.run_id
    assert find_run(client, "0", "k").info.run_id == one.info.run_id
    assert find_run(client, "0", "k", parent="c") is None


def test_a_metric_that_is_there_is_not_logged_again(client):
    run = client.create_run("0")
    put(client, run, metrics={"sparsity": 0.5, "share": 0.25})
    put(client, client.get_run(run.info.run_id), metrics={"sparsity": 0.5, "share": 0.75})
    history = {
        name: [point.value for point in client.get_metric_history(run.info.run_id, name)]
        for name in ("sparsity", "share")
    }
    assert history == {"sparsity": [0.5], "share": [0.25, 0.75]}
    assert client.get_run(run.info.run_id).data.metrics["share"] == 0.75


def test_a_parameter_that_is_there_stays(client):
    run = client.create_run("0")
    put(client, run, params={"seed": "0"})
    put(client, client.get_run(run.info.run_id), params={"seed": "1", "added": "2"})
    assert client.get_run(run.info.run_id).data.params == {"seed": "0", "added": "2"}


def test_long_values_are_cut_and_many_parameters_fit(client):
    run = client.create_run("0")
    params = {f"layer{i}": "x" for i in range(150)} | {"long": "y" * 7000}
    put(client, run, params=params, tags={"long": "z" * 9000})
    data = client.get_run(run.info.run_id).data
    assert (len(data.params), len(data.params["long"]), len(data.tags["long"])) == (151, 6000, 8000)
