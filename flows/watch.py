"""What a run tells while it works; the command line draws it, a test or a worker ignores it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol


class Watch(Protocol):
    """Somebody who is told what a run does."""

    def on_stage(self, name: str, detail: str) -> None:
        """Hear that stage ``name`` begins, and with it that the one before is done."""

    def on_members(self, folder: Path, labels: Sequence[str]) -> None:
        """Hear that the members ``labels`` are now computed, telling their progress in ``folder``.

        Called at the beginning of their stage; ``labels`` leaves out what the store holds already.
        """


class NullWatch:
    """Hears and does nothing."""

    def on_stage(self, name: str, detail: str) -> None:
        """Ignore the stage."""

    def on_members(self, folder: Path, labels: Sequence[str]) -> None:
        """Ignore the members."""
