"""One call of ``mixmatch run`` under observation: its time, and the memory of its processes."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import psutil

PROGRAM = Path(sys.executable).with_name("mixmatch")
MANY = """
name: scaling
data: {name: digits, image_size: 16, channels: 1, train_limit: 128}
model: {architecture: test_resnet, train: {epochs: 8}}
calibration_fraction: 0.25
target_sparsity: [0.8]
fine_tune: {max_epochs: 1, patience: 1, batch_norm_images: 128}
latency: none
quantize: none
engine: {workers: 2, precision: float32}
"""
PREPARATION = ("fetch", "base", "sensitivity", "plan")
EQUAL = """
name: equal-jobs
data: {name: digits, image_size: 32, channels: 1}
model: {architecture: test_resnet, train: {epochs: 2}}
strategies: [balanced]
fine_tune: {max_epochs: 5, patience: 5}
latency: none
quantize: none
engine: {precision: float32}
"""


def run(workspace: Path, run_file: str, *overrides: str) -> dict[str, Any]:
    """Run the command to its end and say what it took; seconds and bytes."""
    file = workspace.with_name(f"{workspace.name}.yaml")
    file.write_text(run_file)
    log = workspace.with_name(f"{workspace.name}.log")
    options = [part for override in overrides for part in ("--set", override)]
    started = time.monotonic()
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [str(PROGRAM), "run", str(file), "--json", *options],
            env=environment(workspace),
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
        peaks: dict[str, int] = defaultdict(int)
        cpu: dict[str, dict[int, float]] = defaultdict(dict)
        watch = threading.Thread(target=_watch, args=(process.pid, peaks, cpu))
        watch.start()
        stdout, _ = process.communicate()
        watch.join()
    seconds = time.monotonic() - started
    if process.returncode:
        raise RuntimeError(f"the run failed, see {log}")
    summary = json.loads(stdout.splitlines()[-1])
    return {
        "seconds": round(seconds, 1),
        "results": len(summary["results"]),
        "hits": summary["cache"]["hits"],
        "front": sum(row["model_version"] is not None for row in summary["results"]),
        "work_s": round(_work(workspace, summary), 1),
        "stages": _stages(log),
        "peak_bytes": dict(peaks),
        "cpu_s": {kind: round(sum(x.values()), 1) for kind, x in cpu.items()},
        "work_cpu_s": round(_total(workspace, "cpu_seconds"), 1),
        "report": summary["report"],
    }


def environment(workspace: Path) -> dict[str, str]:
    """Return a user's environment for commands on ``workspace``."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "MLFLOW_"))}
    return {**kept, "MIXMATCH_HOME": str(workspace)}


def _watch(pid: int, peaks: dict[str, int], cpu: dict[str, dict[int, float]]) -> None:
    """Follow memory and processor time of the command and what it starts, until it ends."""
    try:
        parent = psutil.Process(pid)
        while parent.status() != psutil.STATUS_ZOMBIE:
            for process in (parent, *parent.children(recursive=True)):
                try:
                    kind = _kind(process, parent)
                    peaks[kind] = max(peaks[kind], process.memory_info().rss)
                    times = process.cpu_times()
                    cpu[kind][process.pid] = times.user + times.system
                except psutil.Error:
                    continue
            time.sleep(0.5)
    except psutil.NoSuchProcess:
        return


def _kind(process: psutil.Process, parent: psutil.Process) -> str:
    if process == parent:
        return "flow and scheduler"
    command = " ".join(process.cmdline())
    if "spawn_main" in command:
        return "worker"
    return "server of Prefect" if "prefect" in command or "uvicorn" in command else "other"


def _work(workspace: Path, summary: dict[str, Any]) -> float:
    """Return the seconds that two workers need for what was computed, and the steps before."""
    if summary["cache"]["misses"] == 0:
        return 0.0
    members = _total(workspace, "seconds")
    before = sum(summary["seconds"].get(x, 0.0) for x in PREPARATION)
    return float(members / 2 + before)


def _total(workspace: Path, name: str) -> float:
    records = (workspace / "store" / "records" / "member").glob("*.json")
    return float(sum(json.loads(x.read_text())["record"][name] for x in records))


def _stages(log: Path) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, text in re.findall(r"^(\w+) done in ([\d:.]+)(?: s)?$", log.read_text(), re.M):
        minutes, _, seconds = text.rpartition(":")
        found[name] = found.get(name, 0.0) + 60 * float(minutes or 0) + float(seconds)
    return found
