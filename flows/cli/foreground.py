"""Commands that work until Ctrl-C: how they are interrupted."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def ctrl_c_on_sigterm() -> Iterator[None]:
    """Treat a polite end like Ctrl-C, so that the servers end with this process.

    Ctrl-C counts inside the block even where a shell started this process in the background, with
    SIGINT ignored; and so it does in the processes that are started here.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise KeyboardInterrupt

    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, interrupt) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
