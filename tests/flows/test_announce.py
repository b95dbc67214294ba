"""Webhooks and Prefect hear the same facts, and no webhook ends a run."""

import pytest

from flows import announce as module
from flows.announce import announce, announce_failures, failures_emitted, failures_told
from mixmatch.config import parse_run_config
from mixmatch.errors import ServiceError

CONFIG = parse_run_config(
    {
        "name": "shapes",
        "data": {"name": "digits"},
        "model": {"architecture": "test_resnet"},
        "notify": ["https://example.org/hook"],
    },
    "r",
)


@pytest.fixture
def hooks(monkeypatch):
    """What webhooks were told; each call returns the sentences in ``answers``."""

    class Hooks:
        heard, answers = [], ()

        def notify(self, addresses, event, facts):
            self.heard.append((tuple(addresses), event, dict(facts)))
            return self.answers

    found = Hooks()
    found.heard = []
    monkeypatch.setattr(module, "notify", found.notify)
    return found


@pytest.fixture
def events(monkeypatch):
    heard = []
    monkeypatch.setattr("prefect.events.emit_event", lambda **event: heard.append(event))
    return heard


def test_both_hear_the_same_facts(hooks, events):
    hooks.answers = ("The webhook https://example.org was not told.",)
    assert announce(CONFIG, "mixmatch.front.new", {"run_id": "1"}) == hooks.answers
    ((addresses, event, facts),) = hooks.heard
    assert addresses == ("https://example.org/hook",)
    assert (event, facts) == ("mixmatch.front.new", {"name": "shapes", "run_id": "1"})
    assert events == [
        {
            "event": "mixmatch.front.new",
            "resource": {"prefect.resource.id": "mixmatch.run.shapes"},
            "payload": {"run_id": "1"},
        }
    ]


def test_a_failure_is_told_and_goes_on_its_way(hooks, monkeypatch):
    hooks.answers = ("The webhook https://example.org was not told.",)
    lines = []
    monkeypatch.setattr(module._LOG, "warning", lines.append)
    with pytest.raises(ServiceError, match="No server"), failures_told(CONFIG):
        raise ServiceError("No server answers.")
    ((_, event, facts),) = hooks.heard
    assert (event, facts) == (
        "mixmatch.run.failed",
        {"name": "shapes", "reason": "No server answers."},
    )
    assert lines == ["The webhook https://example.org was not told."]


def test_an_interrupt_by_hand_is_no_failure(hooks, events):
    for told in (failures_told, failures_emitted):
        with pytest.raises(KeyboardInterrupt), told(CONFIG):
            raise KeyboardInterrupt
    assert (hooks.heard, events) == ([], [])


def test_prefect_hears_of_a_failure_that_is_not_ours_too(events):
    with pytest.raises(ZeroDivisionError), failures_emitted(CONFIG):
        raise ZeroDivisionError("division by zero")
    assert events[0]["payload"] == {"reason": "ZeroDivisionError: division by zero"}


def test_members_that_failed_are_one_announcement(hooks, events):
    failed = {"a/magnitude/0": "It diverged.", "b/magnitude/0": "Its worker died."}
    assert announce_failures(CONFIG, "17", failed) == ()
    ((_, event, facts),) = hooks.heard
    assert event == "mixmatch.run.failed"
    assert facts["reason"] == (
        "2 results failed: a/magnitude/0: It diverged.; b/magnitude/0: Its worker died.."
    )
    assert len(events) == 1


def test_a_run_without_failures_announces_none(hooks, events):
    assert announce_failures(CONFIG, "17", {}) == ()
    assert (hooks.heard, events) == ([], [])
