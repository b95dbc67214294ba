import io

import pytest
from rich.console import Console

from flows.cli.live import LiveDisplay, show_progress
from flows.cli.plain import PlainDisplay
from tasks.progress import ProgressWriter


@pytest.fixture
def console():
    return Console(
        file=io.StringIO(), force_terminal=True, color_system=None, width=100, highlight=False
    )


def drawn(display, console):
    with console.capture() as capture:
        console.print(display._draw())
    return [" ".join(line.split()) for line in capture.get().splitlines()]


def fail_in_the_second_stage(display):
    with display.shown():
        display.on_stage("data", "digits")
        display.on_stage("base", "resnet18")
        raise ZeroDivisionError


def test_finished_stages_stay_with_a_tick_and_the_failed_one_with_a_cross(console):
    with pytest.raises(ZeroDivisionError):
        fail_in_the_second_stage(LiveDisplay(console))
    text = console.file.getvalue()
    assert "✓ data: digits  0.0 s" in text
    assert "✗ base: resnet18  0.0 s" in text


def test_every_running_member_has_a_bar_with_epoch_and_accuracy(console, tmp_path):
    display = LiveDisplay(console)
    display.on_stage("members", "fine-tuning")
    display.on_members(tmp_path, ["a/m/0", "b/m/0", "c/m/0"])
    running = ProgressWriter(tmp_path, "a/m/0")
    running.update(epoch=2, max_epochs=20, fraction=0.5, validation_accuracy=0.975)
    ProgressWriter(tmp_path, "b/m/0").finish()
    head, overall, bar = drawn(display, console)
    assert "members: fine-tuning" in head
    assert overall.startswith("all")
    assert "1 of 3 done" in overall
    assert bar.startswith("a/m/0")
    assert "epoch 3/20 validation 97.50 % at most" in bar


def test_a_stage_without_members_is_one_line(console):
    display = LiveDisplay(console)
    display.on_stage("data", "digits")
    assert len(drawn(display, console)) == 1


def test_a_log_gets_plain_lines():
    with show_progress() as watch:
        assert isinstance(watch, PlainDisplay)
