import pytest

from mixmatch.config import RunConfig
from tasks import up_to_date
from tasks.checkpoint import LocatedCheckpoint
from tasks.data import LocatedData
from tasks.site import Site
from tasks.up_to_date import finished_run, note_finished, run_job
from tasks.workspace import Workspace

DATA = LocatedData(label="embedded", source_digest="d" * 64, path=None)
MODEL = LocatedCheckpoint(label="models:/net/1", digest="c" * 64, path="/one.safetensors")
CLUSTER = {"kind": "dask", "address": "tcp://far:1", "overlap": "skip"}


def config_of(**sections):
    minimal = {"data": {"name": "digits"}, "model": {"architecture": "resnet18"}}
    return RunConfig.model_validate(minimal | sections)


def key(config=None, data=DATA, checkpoint=MODEL):
    return run_job(config or config_of(), data, checkpoint).key


def test_places_workers_and_listeners_change_nothing():
    other = config_of(engine=CLUSTER, notify=["https://host/x"], store="elsewhere")
    moved = MODEL.model_copy(update={"path": "/other.safetensors", "label": "models:/net/2"})
    assert key(other, checkpoint=moved) == key()


def test_data_model_and_settings_do():
    other_data = DATA.model_copy(update={"source_digest": "e" * 64})
    other_model = MODEL.model_copy(update={"digest": "f" * 64})
    found = {
        key(),
        key(data=other_data),
        key(checkpoint=other_model),
        key(checkpoint=None),
        key(config_of(seeds=[1])),
        key(config_of(latency="none")),
    }
    assert len(found) == 6


def test_the_order_of_layer_patterns_does():
    layers = ({"a*": [0, 0.1], "b*": [0, 0.2]}, {"b*": [0, 0.2], "a*": [0, 0.1]})
    assert len({key(config_of(ranges={"layers": x})) for x in layers}) == 2


@pytest.mark.parametrize(("is_there", "expected"), [(True, "run 1"), (False, None)])
def test_a_finished_run_counts_as_long_as_mlflow_has_it(tmp_path, monkeypatch, is_there, expected):
    monkeypatch.setattr(up_to_date, "is_finished", lambda site, run_id: is_there)
    site, job = Site.at(Workspace.open(tmp_path)), run_job(config_of(), DATA, None)
    assert finished_run(job, site) is None
    note_finished(job, "run 1", site)
    assert finished_run(job, site) == expected
