"""What a person sees while a command works: the stage, and a bar per running member."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from flows.cli.plain import PlainDisplay
from flows.cli.stage import Stage, clock

if TYPE_CHECKING:
    from flows.watch import Watch
    from tasks.progress import MemberProgress

_REFRESHES_PER_SECOND = 4
_BAR_WIDTH = 28


@contextmanager
def show_progress() -> "Iterator[Watch]":
    """Show on stderr what happens inside: drawn on a terminal, else as plain lines."""
    console = Console(stderr=True, highlight=False, markup=False)
    display = LiveDisplay(console) if console.is_terminal else PlainDisplay(sys.stderr)
    with display.shown():
        yield display


class LiveDisplay:
    """Draws on a terminal; finished stages stay, the running one moves at the bottom."""

    def __init__(self, console: Console) -> None:
        """Prepare to draw on ``console``."""
        self._console = console
        self._stage: Stage | None = None
        self._spinner = Spinner("dots")

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Draw until the block ends; the last stage is ticked, or crossed if the block failed."""
        live = Live(
            console=self._console,
            get_renderable=self._draw,
            refresh_per_second=_REFRESHES_PER_SECOND,
            transient=True,
        )
        with live:
            try:
                yield
            except BaseException:
                self._close("✗", "red")
                raise
            self._close("✓", "green")

    def on_stage(self, name: str, detail: str) -> None:
        """Tick the stage before and show this one."""
        self._close("✓", "green")
        self._stage = Stage(name, detail, time.monotonic())

    def on_members(self, folder: Path, labels: Sequence[str]) -> None:
        """Show a bar for each of ``labels`` while it runs."""
        if self._stage is not None:
            self._stage = self._stage.with_members(folder, labels)

    def _close(self, mark: str, color: str) -> None:
        stage, self._stage = self._stage, None
        if stage is not None:
            line = Text.assemble((mark, color), f" {stage.headline}  {clock(stage.elapsed_s)}")
            self._console.print(line)

    def _draw(self) -> RenderableType:
        """Draw the running stage; called from the refreshing thread, which also polls."""
        stage = self._stage
        if stage is None:
            return Text("")
        head = Table.grid(padding=(0, 1))
        head.add_row(self._spinner, Text(stage.headline), Text(clock(stage.elapsed_s), "dim"))
        members = stage.members()
        if not stage.labels:
            return head
        if len(stage.labels) == 1:
            return Group(head, _bars(members))
        return Group(head, _overall(stage, members), _bars(members))


def _overall(stage: Stage, members: "Sequence[MemberProgress]") -> RenderableType:
    row = Table.grid(padding=(0, 1))
    done = stage.done(members)
    finished = sum(member.finished for member in members)
    left = stage.remaining_s(done)
    row.add_row(
        Text("  all"),
        ProgressBar(total=1.0, completed=done, width=_BAR_WIDTH),
        Text(f"{finished} of {len(stage.labels)} done"),
        Text("" if left is None else f"at most {clock(left)} left", "dim"),
    )
    return row


def _bars(members: "Sequence[MemberProgress]") -> RenderableType:
    bars = Table.grid(padding=(0, 1))
    for member in members:
        if member.finished:
            continue
        accuracy, left = member.validation_accuracy, member.remaining_s
        epoch = min(member.epoch + 1, member.max_epochs)
        bars.add_row(
            Text(f"  {member.label}"),
            ProgressBar(total=1.0, completed=member.done, width=_BAR_WIDTH),
            Text(f"epoch {epoch}/{member.max_epochs}" if member.max_epochs else ""),
            Text("" if accuracy is None else f"validation {100 * accuracy:.2f} %"),
            Text("" if left is None else f"at most {clock(left)} left", "dim"),
        )
    return bars
