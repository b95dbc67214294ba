"""Prefect's worker as a process of its own: it starts the runs that are due."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.process_tree import end_tree
from tasks.quiet import offline_environment
from tasks.workspace import HOME_VARIABLE, Workspace

_END_S = 15.0
_POLL_S = "5"  # how often it asks for runs that are due


@contextmanager
def prefect_worker(workspace: Workspace, pool: str) -> Iterator[subprocess.Popen[bytes]]:
    """Have a worker of ``pool`` up inside the block; its runs end with it.

    If this process is killed, so is the worker, and runs that it has started go on to their end.
    The environment leads to Prefect's server. Its log is ``log_file(workspace)``.
    """
    log = log_file(workspace)
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "prefect", "worker", "start"]
    environment = {
        **os.environ,
        **offline_environment(),
        HOME_VARIABLE: str(workspace.root),
        "PREFECT_WORKER_QUERY_SECONDS": _POLL_S,
    }
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*_ended_with_us(), *command, "--pool", pool, "--type", "process"],
            cwd=workspace.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C in the terminal reaches us, and we end it in order
        )
    try:
        yield process
    finally:
        end_tree(process, _END_S)


def log_file(workspace: Workspace) -> Path:
    """Return where the worker of ``workspace`` writes its log."""
    return workspace.logs / "prefect-worker.log"


def _ended_with_us() -> tuple[str, ...]:
    """Return a command that has the kernel kill another one when this process dies.

    Killed, not asked to end: a worker that is asked cancels its runs, and one that is killed leaves
    them, which are processes of their own. The command is util-linux's; where that is missing, or
    is older than 2.33, a killed process leaves its worker behind.
    """
    program = shutil.which("setpriv")
    if program is None:
        return ()
    command = (program, "--pdeathsig", "KILL")
    tried = subprocess.run([*command, "true"], capture_output=True, check=False)
    return command if tried.returncode == 0 else ()
