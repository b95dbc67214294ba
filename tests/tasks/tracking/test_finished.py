import pytest

from tasks.tracking import close_run, find_finished, open_run, record_result, record_rival

NAME = "digits-test_resnet"
KEY = "k" * 64


@pytest.fixture
def results(make_result, make_rival):
    return (make_result(), make_rival())


@pytest.fixture
def open_id(site, config, data):
    return open_run(site, name="night", key=KEY, config=config, data=data, tags={"dvc.data": "d"})


@pytest.fixture
def recorded(site, open_id, results):
    result, rival = results
    record_result(site, open_id, result, name="balanced/magnitude/0")
    record_rival(site, open_id, rival, name="SNIP@0.75/2")
    return open_id


@pytest.fixture
def finished(site, recorded, results, make_family, tmp_path):
    report = tmp_path / "report.html"
    report.write_text("<html></html>")
    close_run(
        site,
        recorded,
        family=make_family(results[0]),
        report=report,
        pointers={},
        tags={"dvc.family": "f"},
        failed=False,
    )
    return recorded


def test_a_finished_run_with_all_its_children_is_found_with_its_tags(site, finished, results):
    found = find_finished(site, NAME, KEY, results)
    assert found.run_id == finished
    assert (found.tags["dvc.data"], found.tags["dvc.family"]) == ("d", "f")


def test_a_run_that_still_runs_is_not_finished(site, recorded, results):
    assert find_finished(site, NAME, KEY, results) is None


@pytest.mark.parametrize(("name", "key"), [("other", KEY), (NAME, "j" * 64)])
def test_another_experiment_or_key_is_another_run(site, finished, results, name, key):
    assert find_finished(site, name, key, results) is None


def test_a_result_without_a_child_is_not_recorded_yet(site, finished, results, make_result):
    assert find_finished(site, NAME, KEY, (*results, make_result("aggressive"))) is None


def test_a_result_that_left_the_front_is_to_be_recorded_anew(site, finished, results):
    result, rival = results
    moved = result.model_copy(update={"on_front": False})
    assert find_finished(site, NAME, KEY, (moved, rival)) is None


def test_a_child_that_was_interrupted_is_to_be_recorded_anew(site, finished, results, client):
    (child,) = client.search_runs(
        [client.get_run(finished).info.experiment_id], f"tags.`mixmatch.key` = '{results[0].key}'"
    )
    client.update_run(child.info.run_id, status="RUNNING")
    assert find_finished(site, NAME, KEY, results) is None


def test_a_deleted_experiment_has_no_finished_run(site, finished, results, client):
    client.delete_experiment(client.get_run(finished).info.experiment_id)
    assert find_finished(site, NAME, KEY, results) is None


def test_more_children_than_a_page_of_search_holds_are_all_read(
    site, recorded, results, make_result, make_family, tmp_path, monkeypatch
):
    from mlflow import MlflowClient

    more = tuple(make_result(name) for name in ("aggressive", "conservative", "percentile_30"))
    for result in more:
        record_result(site, recorded, result, name=result.strategy)
    report = tmp_path / "report.html"
    report.write_text("<html></html>")
    close_run(
        site,
        recorded,
        family=make_family(results[0], *more),
        report=report,
        pointers={},
        tags={},
        failed=False,
    )
    whole = MlflowClient.search_runs

    def by_two(self, *args, **kwargs):
        return whole(self, *args, **{"max_results": 2} | kwargs)

    monkeypatch.setattr(MlflowClient, "search_runs", by_two)
    assert find_finished(site, NAME, KEY, (*results, *more)).run_id == recorded
