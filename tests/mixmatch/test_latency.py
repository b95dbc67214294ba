import pytest

from mixmatch.errors import ConfigError
from mixmatch.latency import Quartiles, quartiles_of, time_in_turn


class Watch:
    """A clock that only calls move on; it notes in which order they were made."""

    def __init__(self):
        self.now = 100.0
        self.made = []

    def __call__(self):
        return self.now

    def call(self, name, *durations):
        """Return a call that takes the durations in turn, and the last of them ever after."""
        left = list(durations)

        def made():
            self.made.append(name)
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return made


@pytest.fixture
def watch():
    return Watch()


def test_slow_calls_take_turns_and_the_first_round_is_not_counted(watch):
    calls = {"a": watch.call("a", 9.0, 1.0, 2.0), "b": watch.call("b", 8.0, 4.0)}
    seconds = time_in_turn(calls, limit_s=0.0, min_turns=2, turn_s=0.5, clock=watch)
    assert "".join(watch.made) == "ababab"
    assert seconds == {"a": (1.0, 2.0), "b": (4.0, 4.0)}


def test_a_fast_call_is_made_until_its_turn_is_over(watch):
    calls = {"fast": watch.call("f", 0.25), "slow": watch.call("s", 2.0)}
    seconds = time_in_turn(calls, limit_s=0.0, min_turns=2, turn_s=1.0, clock=watch)
    assert "".join(watch.made) == "ffffsffffsffffs"
    assert seconds == {"fast": (0.25,) * 8, "slow": (2.0, 2.0)}


def test_rounds_go_on_until_the_time_of_all_calls_is_spent(watch):
    calls = {"a": watch.call("a", 1.0), "b": watch.call("b", 3.0)}
    seconds = time_in_turn(calls, limit_s=5.0, min_turns=1, turn_s=0.0, clock=watch)
    # A round takes 4 s, and 2 x 5 s are over within the third.
    assert seconds == {"a": (1.0,) * 3, "b": (3.0,) * 3}


def test_nothing_to_time_takes_no_time(watch):
    assert time_in_turn({}, limit_s=5.0, clock=watch) == {}


def test_a_measurement_without_a_turn_is_refused(watch):
    with pytest.raises(ConfigError, match=r"min_turns must be at least 1, got 0\."):
        time_in_turn({"a": watch.call("a", 1.0)}, limit_s=1.0, min_turns=0, clock=watch)


def test_the_real_clock_gives_positive_seconds():
    seconds = time_in_turn({1: lambda: sum(range(1000))}, limit_s=0.0, min_turns=1, turn_s=0.0)
    assert len(seconds[1]) == 1
    assert seconds[1][0] > 0


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ((5.0,), Quartiles(5.0, 5.0, 5.0, 1)),
        ((4.0, 2.0), Quartiles(3.0, 2.5, 3.5, 2)),
        ((9.0, 1.0, 2.0, 3.0, 4.0), Quartiles(3.0, 2.0, 4.0, 5)),
    ],
)
def test_quartiles_are_those_of_the_sorted_timings(seconds, expected):
    assert quartiles_of(seconds) == expected
