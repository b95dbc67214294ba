import io

import pytest
from rich.console import Console

from flows.cli.latency_table import print_latency
from mixmatch.records import HostRecord
from tasks.deployment_summary import LatencyRow, LatencySummary


@pytest.fixture
def printed():
    def show(*measured, threads=1):
        """Print rows of (network, runtime, batch, median in milliseconds)."""
        rows = tuple(
            LatencyRow(
                network=network,
                digest="d" * 64,
                runtime=runtime,
                batch=batch,
                median_s=median_ms * 1e-3,
                low_s=0.0,
                high_s=1.0,
                num_repeats=50,
            )
            for network, runtime, batch, median_ms in measured
        )
        host = HostRecord(
            processor="Example CPU", num_processors=8, system="Linux x86_64", versions={}
        )
        console = Console(file=io.StringIO(), width=120, highlight=False, markup=False)
        print_latency(console, LatencySummary(host=host, threads=threads, rows=rows))
        return [" ".join(line.split()) for line in console.file.getvalue().splitlines()]

    return show


def test_each_network_is_a_row_and_each_runtime_and_batch_a_column(printed):
    lines = printed(
        ("base", "torch", 1, 12.3),
        ("base", "torch", 32, 241.0),
        ("base", "onnx-int8", 1, 4.126),
        ("balanced/magnitude/0", "torch", 1, 12.29),
        ("balanced/magnitude/0", "onnx-int8", 1, 4.1),
    )
    assert lines[2:4] == ["torch torch onnx-int8", "network 1 at once 32 at once 1 at once"]
    assert "base 12.30 241.00 4.13" in lines
    assert "balanced/magnitude/0 12.29 - 4.10" in lines


def test_says_where_and_with_how_many_threads(printed):
    (first, *_) = printed(("base", "torch", 1, 1.0))
    assert first == (
        "Milliseconds per batch, medians, on Example CPU with 1 thread per network; quartiles are "
        "in the report."
    )
    assert " with 4 threads per network; " in printed(("base", "torch", 1, 1.0), threads=4)[0]
