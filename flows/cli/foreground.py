"""Commands that work until Ctrl-C: how they are interrupted, and how what they started is ended."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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


def end_tree(process: subprocess.Popen[bytes], timeout_s: float) -> None:
    """End a process and all below it, kindly first: SIGINT, then SIGTERM, then SIGKILL.

    Its descendants may lead sessions of their own, which no signal to its group reaches.
    """
    import psutil  # noqa: PLC0415  only commands that start something need it

    family: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        family = psutil.Process(process.pid).children(recursive=True)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            continue
        break
    for one in family:
        with suppress(psutil.NoSuchProcess):
            one.terminate()
    _, alive = psutil.wait_procs(family, timeout=timeout_s)
    for one in alive:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    process.wait()
