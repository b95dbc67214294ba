import time

import pytest

from flows.cli.stage import Stage, clock
from tasks.progress import ProgressWriter


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (59.94, "59.9 s"), (65.2, "1:05"), (3599.9, "1:00:00"), (7262, "2:01:02")],
)
def test_a_duration_is_written_as_people_read_it(seconds, text):
    assert clock(seconds) == text


def test_knows_its_members_and_no_others(tmp_path):
    for label in ("a/m/0", "old/m/0"):
        ProgressWriter(tmp_path, label)
    stage = Stage("members", "", time.monotonic()).with_members(tmp_path, ["a/m/0", "b/m/0"])
    assert [member.label for member in stage.members()] == ["a/m/0"]


def test_a_member_that_has_not_started_counts_as_undone(tmp_path):
    ProgressWriter(tmp_path, "a/m/0").finish()
    stage = Stage("members", "", time.monotonic() - 10).with_members(tmp_path, ["a/m/0", "b/m/0"])
    done = stage.done(stage.members())
    assert done == 0.5
    assert stage.remaining_s(done) == pytest.approx(10, abs=1)
    assert stage.remaining_s(0.0) is None


def test_a_stage_without_members_has_none():
    stage = Stage("base", "resnet18", time.monotonic())
    assert stage.members() == ()
    assert stage.headline == "base: resnet18"
