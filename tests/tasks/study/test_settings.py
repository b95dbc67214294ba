import pytest

from mixmatch.config import RunConfig
from tasks.study.settings import Difference, first_difference, result_digest, result_settings

MINIMAL = {"data": {"name": "digits"}, "model": {"architecture": "resnet18"}}


def settings(**changes):
    return result_settings(RunConfig.model_validate(MINIMAL | changes))


def test_what_changes_no_result_is_left_out():
    left_out = {"name", "engine", "store", "register", "quantize", "latency"}
    assert not left_out & set(settings())


def test_equal_settings_do_not_differ():
    assert first_difference(settings(), settings(name="other", store="folder")) is None


def test_the_first_difference_is_in_the_order_of_the_run_file():
    other = settings(seeds=[1], fine_tune={"patience": 5})
    assert first_difference(settings(), other) == Difference("fine_tune.patience", "3", "5")


def test_a_section_against_none_is_one_difference():
    other = settings(fine_tune={"distill": {}})
    assert first_difference(settings(), other) == Difference(
        "fine_tune.distill", "null", '{"weight": 0.5, "temperature": 4.0}'
    )


def test_the_order_of_patterns_is_a_difference():
    first, second = {"a*": [0, 0.5], "ab": [0, 0.2]}, {"ab": [0, 0.2], "a*": [0, 0.5]}
    one, other = settings(ranges={"layers": first}), settings(ranges={"layers": second})
    assert first_difference(one, other) == Difference(
        "ranges.layers", '["a*", "ab"]', '["ab", "a*"]'
    )
    assert result_digest(one) != result_digest(other)


def test_places_keep_only_their_last_name():
    found = settings(
        data={"name": "image_folder", "root": "/a/photos/", "validation_root": "../b/held out"},
        model={"architecture": "resnet18", "checkpoint": "weights/best.pt"},
    )
    assert found["data"]["root"] == "photos"
    assert found["data"]["validation_root"] == "held out"
    assert found["model"]["checkpoint"] == "best.pt"


def test_the_place_of_a_known_data_set_does_not_matter():
    elsewhere = {"name": "fashion_mnist", "root": "/somewhere"}
    assert settings(data=elsewhere) == settings(data={"name": "fashion_mnist"})


@pytest.mark.parametrize("source", ["models:/digits@champion", "runs:/a1/model", "timm", None])
def test_a_checkpoint_that_is_no_file_stays_as_it_is(source):
    model = {"architecture": "resnet18", "checkpoint": source}
    assert settings(model=model)["model"]["checkpoint"] == source


@pytest.mark.parametrize("place", ["timm_weights/best.pt", "/timm/best.pt", "models/best.pt"])
def test_a_file_in_a_folder_that_looks_like_a_source_is_a_file(place):
    model = {"architecture": "resnet18", "checkpoint": place}
    assert settings(model=model)["model"]["checkpoint"] == "best.pt"
