"""What is published about a family, as MLflow then holds it."""

from tasks.publish import track_results


def test_results_and_rivals_become_children_under_their_labels(
    site, parent_run, client, make_result, make_family, make_rival
):
    rivals = (make_rival(), make_rival("dense", sparsity=0.0, seed=0))
    family = make_family(make_result()).model_copy(update={"rivals": rivals})

    track_results(family, parent_run, site)

    experiment = client.get_run(parent_run).info.experiment_id
    children = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{parent_run}'")
    kinds = {run.info.run_name: run.data.tags.get("kind") for run in children}
    assert kinds == {"balanced/magnitude/0": None, "SNIP@0.75/2": "rival", "dense/0": "rival"}
