import io
import re
import time

import pytest

from flows.cli.plain import PlainDisplay
from tasks.progress import ProgressWriter


@pytest.fixture
def stream():
    return io.StringIO()


def lines(stream):
    return re.sub(r"\d+\.\d s", "T", stream.getvalue()).splitlines()


def test_says_when_a_stage_begins_and_ends(stream):
    display = PlainDisplay(stream)
    with display.shown():
        display.on_stage("data", "digits")
        display.on_stage("base", "")
    assert lines(stream) == ["data: digits ...", "data done in T", "base ...", "base done in T"]


def fail_in_a_stage(display):
    with display.shown():
        display.on_stage("data", "digits")
        raise ZeroDivisionError


def test_says_which_stage_failed(stream):
    with pytest.raises(ZeroDivisionError):
        fail_in_a_stage(PlainDisplay(stream))
    assert lines(stream) == ["data: digits ...", "data failed after T"]


def test_names_each_member_once_when_it_is_done(stream, tmp_path):
    display = PlainDisplay(stream)
    with display.shown():
        display.on_stage("members", "")
        display.on_members(tmp_path, ["a/m/0", "b/m/0"])
        ProgressWriter(tmp_path, "a/m/0").finish()
        end = time.monotonic() + 10
        while "a/m/0 done" not in stream.getvalue() and time.monotonic() < end:
            time.sleep(0.05)
        ProgressWriter(tmp_path, "b/m/0").finish()
    assert lines(stream) == [
        "members ...",
        "  to compute: 2",
        "  a/m/0 done (1 of 2, at most T left)",
        "  b/m/0 done (2 of 2)",
        "members done in T",
    ]
