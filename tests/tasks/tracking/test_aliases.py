import pytest
from mlflow.exceptions import MlflowException

from mixmatch.errors import RegistryError, ServiceError
from tasks.tracking import Aliases
from tasks.tracking import aliases as module


@pytest.fixture
def aliases(site, client, tmp_path):
    client.create_registered_model("shapes")
    for _ in range(2):
        client.create_model_version("shapes", tmp_path.as_uri(), tags={"digest": "a"})
    return Aliases(site, "shapes")


@pytest.fixture
def no_waiting(monkeypatch):
    monkeypatch.setattr(module, "_PAUSE_S", 0.0)


def test_an_alias_points_where_it_was_pointed_last(aliases):
    assert aliases.version_of("champion") is None
    aliases.point("champion", 1)
    aliases.point("champion", 2)
    assert aliases.version_of("champion") == 2


def test_an_alias_never_points_at_nothing(aliases):
    aliases.point("champion", 1)
    sentence = r"^Version 7 of shapes must exist, but the registry has it no more\.$"
    with pytest.raises(RegistryError, match=sentence):
        aliases.point("champion", 7)
    assert aliases.version_of("champion") == 1


def test_tags_are_added_and_replaced(aliases):
    aliases.tag(1, "ledger.champion", "x")
    aliases.tag(1, "ledger.champion", "y")
    assert aliases.tags_of(1) == {"digest": "a", "ledger.champion": "y"}
    assert aliases.tags_of(2) == {"digest": "a"}


def test_a_registry_that_is_busy_for_a_while_is_waited_for(aliases, monkeypatch, no_waiting):
    busy, real = ["one", "two"], aliases._client.get_registered_model

    def sometimes(name):
        if busy:
            raise MlflowException(f"database is locked {busy.pop()}")
        return real(name)

    monkeypatch.setattr(aliases._client, "get_registered_model", sometimes)
    aliases.point("champion", 1)
    assert (aliases.version_of("champion"), busy) == (1, [])


def test_a_registry_that_stays_busy_ends_in_a_sentence(aliases, monkeypatch, no_waiting):
    tries = []

    def never(name):
        tries.append(name)
        raise MlflowException("database is locked\nmore of it")

    monkeypatch.setattr(aliases._client, "get_registered_model", never)
    with pytest.raises(
        ServiceError, match=r"^MLflow's registry must take a change: database is locked$"
    ):
        aliases.version_of("champion")
    assert len(tries) == 8


def test_a_model_that_is_not_there_is_said(site, empty_site):
    with pytest.raises(RegistryError, match="'squares'"):
        Aliases(site, "squares")


def test_where_nothing_was_tracked_nothing_is_created(empty_site):
    with pytest.raises(RegistryError, match="'shapes'; nothing is tracked yet"):
        Aliases(empty_site, "shapes")
    assert not empty_site.open_workspace().mlflow_database.exists()
