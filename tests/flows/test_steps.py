from flows.steps import as_effect, as_task
from tasks.site import Site
from tasks.workspace import Workspace
from tests.flows.stand_in_steps import NumberJob, square


def test_the_cache_key_is_the_jobs_key(tmp_path):
    task = as_task(square, Site.at(Workspace(tmp_path)))
    job = NumberJob(number=3)
    assert task.cache_key_fn(None, {"job": job, "label": "any"}) == job.key


def test_results_are_json_below_the_workspace(tmp_path):
    task = as_task(square, Site.at(Workspace(tmp_path)))
    assert task.persist_result
    assert task.result_serializer == "json"
    assert task.result_storage.parent == tmp_path / "prefect" / "results"


def test_each_store_has_results_of_its_own(tmp_path):
    workspace = Workspace(tmp_path)
    sites = [Site.at(workspace), Site.at(workspace, str(tmp_path / "other"))]
    first, second = (as_task(square, site).result_storage for site in sites)
    assert first != second


def test_a_task_is_named_after_its_step_and_its_runs_as_asked(tmp_path):
    task = as_task(square, Site.at(Workspace(tmp_path)), run_name="{label}", refresh=True)
    assert (task.name, task.task_run_name, task.refresh_cache) == ("square", "{label}", True)


def test_an_effect_is_never_taken_from_the_cache():
    task = as_effect(square)
    assert task.name == "square"
    assert task.cache_policy is not None
    assert not task.persist_result
