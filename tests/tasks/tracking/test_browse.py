import json

import pytest

from mixmatch.errors import RegistryError
from tasks.tracking import list_models, record_result, show_model


@pytest.fixture
def shapes(client, tmp_path):
    """A registered model with two versions; the first is called ``smallest``."""
    client.create_registered_model("shapes")
    for tags in ({"sparsity": "0.5"}, {"sparsity": "0.9"}):
        client.create_model_version("shapes", tmp_path.as_uri(), tags=tags)
    client.set_registered_model_alias("shapes", "smallest", "1")


def test_nothing_is_listed_or_created_where_nothing_was_tracked(empty_site):
    assert list_models(empty_site) == ()
    assert list(empty_site.open_workspace().root.iterdir()) == []


def test_looking_up_a_model_where_nothing_was_tracked_is_an_error(empty_site):
    with pytest.raises(RegistryError, match="no registered model 'shapes@x'; known: none yet"):
        show_model(empty_site, "shapes@x")


def test_models_are_listed_by_name_with_versions_and_aliases(site, client, shapes):
    client.create_registered_model("digits")
    empty, full = list_models(site)
    assert (empty.name, empty.num_versions, empty.latest_version) == ("digits", 0, None)
    assert (full.name, full.num_versions, full.latest_version) == ("shapes", 2, 2)
    assert full.aliases == {"smallest": 1}


def test_rows_and_details_are_plain_json(site, shapes):
    assert json.loads(list_models(site)[0].model_dump_json())["aliases"] == {"smallest": 1}
    assert json.loads(show_model(site, "shapes").model_dump_json())["version"] == 2


@pytest.mark.parametrize(
    ("reference", "version", "aliases"),
    [
        ("shapes", 2, ()),
        ("shapes@smallest", 1, ("smallest",)),
        ("shapes/1", 1, ("smallest",)),
        ("shapes/2", 2, ()),
    ],
)
def test_a_reference_names_one_version(site, shapes, reference, version, aliases):
    detail = show_model(site, reference)
    assert (detail.version, detail.aliases) == (version, aliases)
    assert detail.tags == {"sparsity": {1: "0.5", 2: "0.9"}[version]}


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("shape", r"There is no registered model 'shape'; known: shapes\."),
        ("shapes@best", r"The alias of shapes must be one of \['smallest'\], got 'best'\."),
        ("shapes/0", r"The version of shapes must be one of \[1, 2\], got 0\."),
        ("shapes/latest", r"NAME/version with a number, got 'shapes/latest'\."),
    ],
)
def test_an_unknown_reference_is_an_error_that_names_what_there_is(
    site, shapes, reference, message
):
    with pytest.raises(RegistryError, match=message):
        show_model(site, reference)


def test_a_model_without_versions_is_an_error(site, client):
    client.create_registered_model("digits")
    with pytest.raises(RegistryError, match="digits must have a version; it has none yet"):
        show_model(site, "digits")


def test_a_version_shows_the_figures_of_its_run_and_the_settings_of_its_flow(
    site, client, parent_run, make_result, tmp_path
):
    child = record_result(site, parent_run, make_result(), name="x")
    client.create_registered_model("shapes")
    client.create_model_version("shapes", tmp_path.as_uri(), run_id=child)
    detail = show_model(site, "shapes")
    assert detail.run_id == child
    assert detail.metrics["sparsity"] == 0.8
    assert detail.settings["data.name"] == "digits"


def test_a_version_made_by_no_run_has_no_figures(site, shapes):
    detail = show_model(site, "shapes")
    assert (detail.run_id, detail.metrics, detail.settings) == (None, {}, {})
