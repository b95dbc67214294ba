"""Magnitude masks of whole networks beside NNCF's, which runs in an environment of its own."""

import copy
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from benchmarks.authors_way import spec_of
from benchmarks.ratios import Comparison
from mixmatch.layers import prunable_layers, weights_of
from mixmatch.masks import apply_masks_, keep_masks
from mixmatch.models import build_model

PYTHON = Path(__file__).resolve().parents[1] / "build" / "bench-venv" / "bin" / "python"
SPARSITY = 0.9


@contextmanager
def comparisons(architectures: tuple[str, ...]) -> Iterator[list[Comparison]]:
    """Yield one comparison per network while NNCF's process is up.

    Raises:
        FileNotFoundError: its environment is missing; the message says how to make it.
    """
    if not PYTHON.exists():
        raise FileNotFoundError(f"{PYTHON} is missing; make build/bench-venv/.installed creates it")
    command = [PYTHON, Path(__file__).with_name("nncf_masks.py")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        yield [_comparison(x, process) for x in architectures]
        process.stdin.close()  # type: ignore[union-attr]  # it is a pipe


def _comparison(architecture: str, process: subprocess.Popen[str]) -> Comparison:
    torch.manual_seed(0)
    dense = build_model(spec_of(architecture))

    def ours() -> float:
        model = copy.deepcopy(dense)
        started = time.perf_counter()
        weights = {k: x.detach() for k, x in weights_of(model, prunable_layers(model)).items()}
        counts = {name: round(SPARSITY * x.numel()) for name, x in weights.items()}
        apply_masks_(model, keep_masks({k: x.abs() for k, x in weights.items()}, counts))
        return time.perf_counter() - started

    def theirs() -> float:
        print(architecture, SPARSITY, file=process.stdin, flush=True)
        answer: dict[str, Any] = json.loads(process.stdout.readline())  # type: ignore[union-attr]
        if abs(answer["zeros"] / answer["weights"] - SPARSITY) > 0.001:
            sys.exit(f"NNCF was to prune {SPARSITY} of {architecture}, and did {answer}")
        return float(answer["seconds"])

    return Comparison(
        f"masks/nncf/{architecture}",
        f"{architecture} masked to {SPARSITY} by magnitude in every layer",
        "NNCF's `prune`, which also traces the network",
        1.0,
        ours,
        theirs,
    )
