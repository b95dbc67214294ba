import pytest

from mixmatch.config import parse_run_config
from mixmatch.errors import ConfigError
from tasks.restored_settings import settings_here

MINIMAL = {"data": {"name": "digits"}, "model": {"architecture": "test_resnet"}}
ELSEWHERE = {
    "store": "s3://stranger/store",
    "notify": ["https://stranger.example/${AWS_SECRET_ACCESS_KEY}"],
    "engine": {"kind": "dask", "address": "tcp://stranger.example:8786", "overlap": "skip"},
}


def test_store_webhooks_and_addresses_of_others_are_reset():
    assert settings_here(MINIMAL | ELSEWHERE, "a lineage") == parse_run_config(MINIMAL, "here")


def test_what_decides_numbers_is_kept():
    engine = {"device": "cpu", "precision": "float32", "threads_per_job": 3, "compile": True}
    found = settings_here({**MINIMAL, "seed": 7, "engine": engine | {"workers": 64}}, "a lineage")
    assert found == parse_run_config({**MINIMAL, "seed": 7, "engine": engine}, "here")


def test_layer_patterns_keep_their_order():
    layers = {"layer4.*": [0.0, 0.5], "*": [0.0, 0.9], "a*": [0.0, 0.1]}
    found = settings_here({**MINIMAL, "ranges": {"layers": layers}}, "a lineage")
    assert list(found.ranges.layers) == list(layers)


@pytest.mark.parametrize("engine", [None, "tcp://stranger.example:8786", ["address"]])
def test_an_engine_of_another_form_is_reset_as_a_whole(engine):
    found = settings_here({**MINIMAL, "engine": engine}, "a lineage")
    assert found == parse_run_config(MINIMAL, "here")


def test_wrong_settings_are_said_in_a_sentence():
    with pytest.raises(ConfigError, match=r"^The lineage of a/1: data\.name must .*got 'moon'"):
        settings_here({**MINIMAL, "data": {"name": "moon"}}, "The lineage of a/1")
