"""One call of ``mixmatch run`` that may be killed, on a small real configuration."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

PROGRAM = Path(sys.executable).with_name("mixmatch")
RUN_FILE = """
name: faults
data: {name: digits, image_size: 16}
model: {architecture: test_resnet, train: {epochs: 2}}
fine_tune: {max_epochs: 2, patience: 2}
latency: none
engine: {workers: 2, precision: float32}
"""
LIMIT_S = 3600.0


class Run:
    """The command, on one workspace, in a process group of its own."""

    def __init__(self, workspace: Path) -> None:
        """Start it."""
        run_file = workspace.with_name(f"{workspace.name}.yaml")
        run_file.write_text(RUN_FILE)
        self.workspace = workspace
        self.log = workspace.with_name(f"{workspace.name}.log")
        self.started = time.monotonic()
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "MLFLOW_"))}
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [str(PROGRAM), "run", str(run_file), "--json"],
                env={**kept, "MIXMATCH_HOME": str(workspace)},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def end(self) -> dict[str, Any] | None:
        """Wait for the end; return the summary, or None if it failed."""
        stdout, _ = self.process.communicate(timeout=LIMIT_S)
        return json.loads(stdout.splitlines()[-1]) if self.process.returncode == 0 else None

    def kill_after(self, seconds: float) -> bool:
        """Kill the flow's process then; False if it had ended before."""
        deadline = self.started + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                return False
            time.sleep(0.05)
        return self.kill()

    def kill(self) -> bool:
        """Kill the flow's process; False if it had ended before."""
        was_alive = self.process.poll() is None
        self.process.kill()
        self.process.communicate()
        return was_alive

    def workers(self) -> list[psutil.Process]:
        """Return the Dask workers that live now."""
        family = psutil.Process(self.process.pid).children(recursive=True)
        return [x for x in family if "spawn_main" in " ".join(x.cmdline())]

    def wait_for(self, happened: Callable[[], object]) -> None:
        """Return once ``happened()`` while the run is still under way."""
        deadline = time.monotonic() + LIMIT_S
        while not happened():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the run ended too early, see {self.log}")
            time.sleep(0.05)

    def stage(self) -> str:
        """Return the stage that began last."""
        lines = [x for x in self.log.read_text().splitlines() if x.endswith(" ...")]
        return lines[-1].partition(":")[0] if lines else "start"
