"""End a process that was started here, and all that it has started."""

import os
import signal
import subprocess
from contextlib import suppress


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
