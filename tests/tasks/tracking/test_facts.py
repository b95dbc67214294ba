import json

import pytest

from mixmatch.errors import RegistryError
from mixmatch.records import VersionFacts
from tasks.tracking import version_facts

TAGS = {
    "digest": "a" * 64,
    "bytes": "1000",
    "sparsity": "0.75",
    "validation_accuracy": "0.9",
    "accuracy": "0.875",
}


@pytest.fixture
def add(client, tmp_path):
    client.create_registered_model("shapes")

    def added(run_id=None, **tags):
        stated = {k.replace("__", "."): v for k, v in tags.items()}
        source = tmp_path.as_uri()
        client.create_model_version("shapes", source, run_id=run_id, tags=TAGS | stated)

    return added


def test_a_version_says_what_its_tags_say(site, add):
    latency = {"processor": "Xeon", "median_s": {"torch": {"1": 0.5}}}
    add(data__digest="d" * 64, key="k" * 64, latency=json.dumps(latency))
    (found,), unreadable = version_facts(site, "shapes")
    assert unreadable == {}
    assert found == VersionFacts(
        version=1,
        digest="a" * 64,
        bytes=1000,
        sparsity=0.75,
        validation_accuracy=0.9,
        accuracy=0.875,
        data_digest="d" * 64,
        drop_mean=None,
        drop_high=None,
        fronts=None,
        processor="Xeon",
        median_s={"torch": {"1": 0.5}},
        key="k" * 64,
    )


def test_versions_come_oldest_first(site, add):
    for _ in range(3):
        add()
    found, _ = version_facts(site, "shapes")
    assert [x.version for x in found] == [1, 2, 3]


@pytest.mark.parametrize(
    ("metrics", "fronts"),
    [
        ({"on_front": 1.0, "on_size_front": 1.0}, ("sparsity", "bytes")),
        ({"on_front": 0.0, "on_size_front": 1.0}, ("bytes",)),
        ({"on_front": 0.0}, ()),
        ({"loss": 1.0}, None),
    ],
)
def test_fronts_are_those_that_the_run_knows_of(site, client, add, parent_run, metrics, fronts):
    for name, value in metrics.items():
        client.log_metric(parent_run, name, value)
    add(run_id=parent_run)
    (found,), _ = version_facts(site, "shapes")
    assert found.fronts == fronts


def test_of_a_run_that_is_gone_no_front_is_known(site, add):
    add(run_id="0" * 32)
    (found,), unreadable = version_facts(site, "shapes")
    assert (found.fronts, unreadable) == (None, {})


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"accuracy": "nan"}, "ValueError: a figure must be finite, got 'nan'"),
        ({"sparsity": "inf"}, "ValueError: a figure must be finite, got 'inf'"),
        ({"bytes": "many"}, "ValueError: invalid literal for int() with base 10: 'many'"),
        ({"latency": "[]"}, "AttributeError: 'list' object has no attribute 'get'"),
    ],
)
def test_a_version_that_lies_is_named_and_hides_no_other(site, add, tags, reason):
    add(**tags)
    add()
    found, unreadable = version_facts(site, "shapes")
    assert [x.version for x in found] == [2]
    assert unreadable == {1: reason}


def test_a_version_of_somebody_else_is_named(site, client, add, tmp_path):
    client.create_model_version("shapes", tmp_path.as_uri())
    assert version_facts(site, "shapes") == ((), {1: "KeyError: 'digest'"})


def test_a_model_that_is_not_there_is_said(site, empty_site):
    with pytest.raises(RegistryError, match="'squares'"):
        version_facts(site, "squares")


def test_where_nothing_was_tracked_nothing_is_created(empty_site):
    with pytest.raises(RegistryError, match="'shapes'; nothing is tracked yet"):
        version_facts(empty_site, "shapes")
    assert not empty_site.open_workspace().mlflow_database.exists()
