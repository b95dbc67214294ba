"""MLflow runs of dead owners are ended, those of living ones never; what was killed is resumed."""

import pytest

from tasks.owners import Owner
from tasks.tracking import open_run, record_result, registry
from tasks.tracking.abandoned import OWNER_TAG, kill_abandoned


@pytest.fixture
def owned_by(client, parent_run):
    """Let the parent run belong to another owner."""

    def change(**facts):
        owner = Owner.here().model_copy(update=facts)
        client.set_tag(parent_run, OWNER_TAG, str(owner))

    return change


def status(client, run_id):
    return client.get_run(run_id).info.status


def test_a_run_of_a_living_process_is_left_alone(site, client, parent_run):
    assert kill_abandoned(site, alone=True) == ()
    assert status(client, parent_run) == "RUNNING"


def test_a_run_of_a_dead_process_is_killed_and_then_resumed(
    site, client, parent_run, owned_by, config, data
):
    owned_by(started=1)
    (killed,) = kill_abandoned(site, alone=False)
    assert (killed.run_id, status(client, parent_run)) == (parent_run, "KILLED")
    again = open_run(site, name="a run", key="k" * 64, config=config, data=data, tags={})
    assert again == parent_run
    assert status(client, parent_run) == "RUNNING"
    assert client.get_run(parent_run).data.tags[OWNER_TAG] == str(Owner.here())
    assert len(client.get_run(parent_run).inputs.dataset_inputs) == 1


@pytest.mark.parametrize(("beat_ms", "expected"), [(None, "RUNNING"), ("1000", "KILLED")])
def test_a_run_of_another_machine_is_judged_by_its_heartbeat(
    site, client, parent_run, owned_by, beat_ms, expected
):
    owned_by(space="another boot", pid=1, started=1)
    if beat_ms:
        client.set_tag(parent_run, "mixmatch.beat_ms", beat_ms)
    kill_abandoned(site, alone=True)
    assert status(client, parent_run) == expected


@pytest.mark.parametrize(("alone", "expected"), [(True, "KILLED"), (False, "RUNNING")])
def test_a_run_without_an_owner_is_only_killed_where_nobody_can_own_it(
    site, client, parent_run, alone, expected
):
    client.delete_tag(parent_run, OWNER_TAG)
    kill_abandoned(site, alone=alone)
    assert status(client, parent_run) == expected


def test_a_model_that_was_logged_before_the_kill_gets_the_only_version(
    site, client, parent_run, spec, make_result, pack, monkeypatch
):
    result = make_result(artifact=pack(1))
    record_result(site, parent_run, result, name="x")

    def register():
        return registry.register_front(
            site, parent_run, registered_name="shapes", spec=spec, results=[result], extra_tags={}
        )

    whole = registry.write_model_folder
    monkeypatch.setattr(registry, "write_model_folder", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        register()
    monkeypatch.setattr(registry, "write_model_folder", whole)
    assert register() == {result.key: 1}
    experiment = client.get_run(parent_run).info.experiment_id
    (model,) = client.search_logged_models([experiment])
    assert str(model.status) == "READY"
