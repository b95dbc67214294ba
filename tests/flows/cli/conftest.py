"""Summaries as the flow returns them, and the command line as a user calls it."""

import pytest
from typer.testing import CliRunner

from flows.cli import app
from tasks.plan_summary import DataSummary, PlanSummary
from tasks.summary import BaseSummary, RunSummary

BASE = {
    "architecture": "resnet18",
    "source": "trained",
    "validation_accuracy": 0.98,
    "accuracy": 0.97,
    "accuracy_interval": (0.95, 0.98),
    "num_parameters": 11_173_962,
    "num_weights": 11_164_352,
    "bytes": 44_700_000,
    "digest": "b" * 64,
    "warnings": (),
}
ROW = {
    "strategy": "balanced",
    "also": ("percentile_50",),
    "criterion": "magnitude",
    "seed": 0,
    "sparsity": 0.81234,
    "validation_accuracy": 0.975,
    "accuracy": 0.9625,
    "accuracy_interval": (0.941, 0.976),
    "accuracy_drop": 0.0075,
    "num_nonzero": 2_000_000,
    "bytes": 8_900_000,
    "digest": "c" * 64,
    "cached": False,
    "on_front": True,
    "front_share": 0.8,
    "model_version": 2,
}


@pytest.fixture
def mixmatch(monkeypatch, tmp_path):
    """Call the command line in an empty folder of its own; returns exit code and both streams."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MIXMATCH_HOME", raising=False)
    return lambda *arguments: CliRunner().invoke(app, [str(x) for x in arguments])


@pytest.fixture
def run_file(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("data: {name: digits}\nmodel: {architecture: resnet18}\n")
    return file


@pytest.fixture
def base_summary():
    return BaseSummary(**BASE)


@pytest.fixture
def data_summary():
    return DataSummary(
        name="digits",
        source="embedded",
        digest="d" * 64,
        classes=tuple("0123456789X"),
        image_shape=(32, 32, 3),
        num_images={"train": 1220, "calibration": 64, "validation": 143, "test": 370},
        mean=(0.30612, 0.3, 0.3),
        std=(0.376, 0.3, 0.3),
        augmentation="crop",
    )


@pytest.fixture
def run_summary():
    rest = {"strategy": "aggressive", "also": (), "on_front": False, "model_version": None}
    return RunSummary(
        run_id="f00d",
        workspace="/somewhere/ws",
        base=BASE,
        results=(ROW, ROW | rest),
        report="/somewhere/ws/runs/f00d/report.html",
        cache={"hits": 1, "misses": 5},
        seconds={"base": 20.25, "members": 40.5, "total": 61.5},
        failed={},
    )


@pytest.fixture
def plan_summary(data_summary):
    layer = {"role": "convolution", "observed": (0.25, 0.9), "range": (0.0, 0.1)}
    strategy = {"layers": {"conv1": 0.1, "fc": 0.8}, "expected_bytes": 9_870_000}
    return PlanSummary(
        layers=({"name": "conv1", "num_weights": 1728} | layer,),
        strategies={
            "balanced": {"sparsity": 0.75, "digest": "x"} | strategy,
            "percentile_50": {"sparsity": 0.75, "digest": "x"} | strategy,
        },
        data=data_summary,
        base=BASE,
        cost={"trainings": 9, "images": 1220, "epochs": 20, "image_passes": 219_600},
    )
