"""When a study may not be continued: found out before anything is computed for it."""

from types import SimpleNamespace

import pytest

import flows.stages
from flows.study import _compute, _Progress
from mixmatch.config import RunConfig
from mixmatch.errors import ConfigError
from mixmatch.records import Accuracy, Execution
from tasks.study.folder import StudyFolder
from tasks.study.machine import Machine
from tasks.study.row import StudyRow

MACHINE = Machine(hardware="Some CPU, 2 cores", versions={})
HALF = Accuracy(
    num_correct=1, num_images=2, value=0.5, low=0.1, high=0.9, loss=1.0, correct_bits="gA=="
)
CONFIG = RunConfig.model_validate(
    {
        "data": {"name": "digits"},
        "model": {"architecture": "resnet18"},
        "engine": {"device": "cpu", "precision": "float32"},
    }
)


def row(precision):
    execution = {
        "device": "cpu",
        "precision": precision,
        "threads": 1,
        "small_convolutions": "native",
    }
    return StudyRow(
        kind="dense",
        name="dense",
        seed=0,
        sparsity=0.0,
        num_weights=10,
        num_nonzero=10,
        bytes=40,
        validation_after_mask=0.5,
        validation_after_batch_norm=0.5,
        validation=HALF,
        test=HALF,
        epochs_run=1,
        best_epoch=0,
        seconds=1.0,
        base_digest="b" * 64,
        data_digest="d" * 64,
        execution=Execution.model_validate(execution | {"versions": {}}),
        hardware="Some CPU, 2 cores",
        versions={},
    )


@pytest.fixture
def prepared(monkeypatch):
    """Stand in for everything before the fan-out, which gives other data; returns its calls."""
    calls = []

    def prepare(*arguments):
        calls.append(arguments)
        return SimpleNamespace(data=SimpleNamespace(artifact=SimpleNamespace(digest="e" * 64)))

    monkeypatch.setattr(flows.stages, "prepare", prepare)
    return calls


@pytest.fixture
def continue_study(tmp_path):
    def run(kept):
        folder = StudyFolder.open(tmp_path, CONFIG)
        folder.append(kept)
        session = SimpleNamespace(config=CONFIG, site=None, watch=None, inputs=None, step=None)
        try:
            _compute(session, _Progress(folder, MACHINE))
        finally:
            assert folder.rows() == (kept,)
            assert folder.plan() is None

    return run


def test_other_data_are_refused_before_anything_is_written(continue_study, prepared):
    with pytest.raises(ConfigError, match=r"^data must be what the rows in .*, got data with"):
        continue_study(row("float32"))
    assert len(prepared) == 1


def test_other_arithmetic_is_refused_before_the_data_are_read(continue_study, prepared):
    with pytest.raises(ConfigError, match=r"^engine\.precision must come to bfloat16, as for the"):
        continue_study(row("bfloat16"))
    assert prepared == []
