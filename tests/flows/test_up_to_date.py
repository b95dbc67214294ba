"""When a schedule's run may end at once, and when it must look again."""

from types import SimpleNamespace

import pytest

from flows import compress
from flows.compress import compress_if_changed
from mixmatch.config import RunConfig
from tasks import up_to_date


def config_of(**fine_tune):
    minimal = {"data": {"name": "digits"}, "model": {"architecture": "resnet18"}}
    return RunConfig.model_validate(minimal | {"fine_tune": fine_tune})


@pytest.fixture
def make_run(monkeypatch):
    """Stand in for all that a run does; says what is left standing of the earlier one."""

    def make(config, *, standing):
        summary = SimpleNamespace(
            failed={}, run_id="new", seconds={}, model_copy=lambda update: summary
        )
        monkeypatch.setattr(compress, "_located", lambda *_: SimpleNamespace(data=0, checkpoint=0))
        monkeypatch.setattr(compress, "_stored", lambda *_: standing)
        monkeypatch.setattr(compress, "_compress", lambda *_, **__: summary)
        monkeypatch.setattr(up_to_date, "run_job", lambda *_: None)
        monkeypatch.setattr(up_to_date, "finished_run", lambda *_: "earlier")
        monkeypatch.setattr(up_to_date, "note_finished", lambda *_: None)
        return compress_if_changed(config, None, watch=None)

    return make


def test_nothing_is_done_where_all_of_the_earlier_run_stands(make_run):
    assert make_run(config_of(), standing=SimpleNamespace()) == "earlier"


def test_an_earlier_run_that_lost_its_aliases_or_versions_is_done_again(make_run):
    """As after a source went back to what it was, when another run's front holds the aliases."""
    assert make_run(config_of(), standing=None).run_id == "new"


def test_what_came_of_a_budget_is_taken_at_its_word(make_run):
    assert make_run(config_of(budget={"epochs": 9}), standing=None) == "earlier"
