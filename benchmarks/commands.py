"""Commands as a user runs them: start-up, a cached plan, the demo, and a finished run again."""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import demo_arithmetic

MIXMATCH = Path(sys.executable).with_name("mixmatch")
REPEATS, DEMOS = 5, 3
HEADING = "| command | median (range), s | goal, at most, s | met |\n|---|---|---|---|"


def rows() -> list[str]:
    """Time every command; lines of a table."""
    wholes, arithmetic = [], []
    for _ in range(DEMOS):
        with tempfile.TemporaryDirectory() as folder:
            wholes.append(timed("demo", "--workspace", folder))
        arithmetic.append(demo_arithmetic.seconds())
    over = [whole - alone for whole, alone in zip(wholes, arithmetic, strict=True)]
    with tempfile.TemporaryDirectory() as folder:
        demo = ("demo", "--workspace", folder)
        timed(*demo)
        stored = [timed(*demo) for _ in range(REPEATS)]
        through_flow = [timed(*demo, "--through-flow") for _ in range(2)]
    with tempfile.TemporaryDirectory() as folder:
        plan = ("plan", str(plan_file(Path(folder))), "--workspace", str(Path(folder) / "state"))
        timed(*plan)
        cached = [timed(*plan) for _ in range(REPEATS)]
    helps = [timed("--help") for _ in range(REPEATS)]
    return [
        row("`mixmatch --help`", helps, 0.6),
        row("`mixmatch plan`, ResNet-18 with cached scores", cached, 4),
        row("`mixmatch demo`, nothing there", wholes, None),
        row("its training and evaluation alone", arithmetic, None),
        row("the difference", over, 35),
        row("`mixmatch demo` again, from the store", stored, 6),
        row("`mixmatch demo` again, through the flow", through_flow, 20),
    ]


def row(command: str, times: list[float], goal: float | None) -> str:
    """Return a line with the median, the range, and whether the goal is met."""
    median = statistics.median(times)
    spread = f"{median:.2f} ({min(times):.2f} to {max(times):.2f})"
    verdict = "-" if goal is None else ("yes" if median <= goal else "NO")
    return f"| {command} | {spread} | {'-' if goal is None else goal} | {verdict} |"


def plan_file(folder: Path) -> Path:
    """Write a run file with a ResNet-18 that is trained for an epoch."""
    file = folder / "run.yaml"
    file.write_text(
        "data: {name: digits, image_size: 32}\n"
        "model: {architecture: resnet18, train: {epochs: 1}}\n"
    )
    return file


def timed(*arguments: str) -> float:
    """Return the wall time of one command, seconds."""
    started = time.monotonic()
    subprocess.run(
        [MIXMATCH, *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return time.monotonic() - started
