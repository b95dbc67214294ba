"""One call of ``mixmatch run`` that may be killed, on a small real configuration."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

PROGRAM = Path(sys.executable).with_name("mixmatch")
RUN_FILE = """
name: faults
data: {name: digits, image_size: 16, train_limit: 600}
model: {architecture: test_resnet, train: {epochs: 2}}
strategies: [conservative, aggressive, balanced, percentile_30, percentile_70, percentile_90]
fine_tune: {max_epochs: 2, patience: 2}
latency: none
engine: {workers: 2, precision: float32}
"""
LIMIT_S = 3600.0
_POLL_S = 0.05


@dataclass(frozen=True)
class Settings:
    """What a run is told beside the run file.

    Attributes:
        overrides: as after ``--set``.
        variables: of its environment.
    """

    overrides: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)


class Run:
    """The command, on one workspace."""

    def __init__(self, workspace: Path, settings: Settings | None = None) -> None:
        """Start it."""
        told = settings or Settings()
        run_file = workspace.with_name(f"{workspace.name}.yaml")
        run_file.write_text(RUN_FILE)
        self.workspace = workspace
        self.log = workspace.with_name(f"{workspace.name}.log")
        self.started = time.monotonic()
        options = [part for one in told.overrides for part in ("--set", one)]
        with self.log.open("a") as log:
            self._before = log.tell()
            self.process = subprocess.Popen(
                [str(PROGRAM), "run", str(run_file), "--json", *options],
                env={**own_environment(), "MIXMATCH_HOME": str(workspace), **told.variables},
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
            time.sleep(_POLL_S)
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
        return [x for x in family if _is_worker(x)]

    def wait_for(self, happened: Callable[[], object]) -> None:
        """Return once ``happened()`` while the run is still under way."""
        deadline = time.monotonic() + LIMIT_S
        while not happened():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the run ended too early:\n{self.said()}")
            time.sleep(_POLL_S)

    def wait_for_stage(self, stage: str) -> None:
        """Return once the run says that ``stage`` has begun."""
        self.wait_for(lambda: f"\n{stage}: " in self.said())

    def wait_for_members(self, num: int) -> None:
        """Return once so many members are done."""
        self.wait_for(lambda: self.said().count(" done (") >= num)

    def wait_for_training(self) -> None:
        """Return once a member's training has an epoch behind it and is not done."""
        self.wait_for_stage("members")
        self.wait_for(lambda: list((self.workspace / "training").glob("*.safetensors")))

    def said(self) -> str:
        """Return what it has written to stderr so far."""
        with self.log.open() as log:
            log.seek(self._before)
            return log.read()

    def stage(self) -> str:
        """Return the stage that began last."""
        lines = [x for x in self.said().splitlines() if x.endswith(" ...")]
        return lines[-1].partition(":")[0] if lines else "start"


def _is_worker(process: psutil.Process) -> bool:
    try:
        return "spawn_main" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # has ended since it was listed, or is a zombie
        return False


def own_environment() -> dict[str, str]:
    """Return this process's environment without the addresses of servers."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "MLFLOW_"))}
