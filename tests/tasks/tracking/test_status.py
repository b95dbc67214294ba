"""What a run remembers of how things stood when it first began."""

from tasks.news import Before, before, is_new_front
from tasks.tracking import open_run, remembered


def _open(site, config, data):
    return open_run(site, name="night", key="k" * 64, config=config, data=data, tags={})


def test_the_first_value_of_a_tag_stays(site, config, data, client):
    run_id = _open(site, config, data)
    assert remembered(site, run_id, "mixmatch.first", "1") == "1"
    assert remembered(site, run_id, "mixmatch.first", "2") == "1"
    assert client.get_run(run_id).data.tags["mixmatch.first"] == "1"


def test_a_run_that_was_killed_after_it_had_registered_still_has_a_new_front(
    site, config, data, client
):
    run_id = _open(site, config, data)
    assert before(config, run_id, site) == Before(was_finished=False, newest_version=0)
    client.create_registered_model(config.registered_name)
    client.create_model_version(config.registered_name, "file:///nowhere")
    client.set_terminated(run_id, status="KILLED")
    again = before(config, _open(site, config, data), site)
    assert is_new_front(again, {"a": 1})


def test_a_finished_run_that_registers_nothing_more_has_none(site, config, data, client):
    run_id = _open(site, config, data)
    before(config, run_id, site)
    client.create_registered_model(config.registered_name)
    client.create_model_version(config.registered_name, "file:///nowhere")
    client.set_terminated(run_id, status="FINISHED")
    assert not is_new_front(before(config, run_id, site), {"a": 1})
