"""What costs time is done again only when that takes a tenth of it at most."""

import pytest

from tasks.pace import Pace


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is set."""
    now = {"s": 100.0}
    monkeypatch.setattr("tasks.pace.time.monotonic", lambda: now["s"])
    return now


def test_what_is_thought_to_cost_nothing_is_due_at_once(clock):
    assert Pace().is_due()


def test_the_first_time_waits_for_nine_times_the_estimate(clock):
    pace = Pace()
    clock["s"] = 117.9
    assert not pace.is_due(2.0)
    clock["s"] = 118.0
    assert pace.is_due(2.0)


def test_afterwards_what_it_took_counts_instead(clock):
    pace = Pace()
    with pace.measured():
        clock["s"] = 103.0
    clock["s"] = 129.9
    assert not pace.is_due(0.1)
    clock["s"] = 130.0
    assert pace.is_due(1000.0)


def test_what_failed_has_cost_its_time_too(clock):
    pace = Pace()

    def fail():
        with pace.measured():
            clock["s"] = 101.0
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fail()
    clock["s"] = 109.9
    assert not pace.is_due()
