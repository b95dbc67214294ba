"""A study that fits on a page: ten test images, a thousand weights, two seeds, one rival."""

import base64

import numpy as np
import pytest

from mixmatch.config import RunConfig
from mixmatch.records import Accuracy, LayerRecord, PlanRecord, StrategyRecord
from tasks.study.int8 import Int8Row
from tasks.study.row import StudyRow

MACHINE = {"hardware": "Some CPU, 2 cores", "versions": {"python": "3.11.2", "torch": "2.13.0"}}


def accuracy(right):
    """Make an accuracy from a text such as ``1101``: 1 where the image was got right."""
    bits = np.array([mark == "1" for mark in right])
    value = int(bits.sum()) / len(bits)
    return Accuracy(
        num_correct=int(bits.sum()),
        num_images=len(bits),
        value=value,
        low=max(0.0, value - 0.25),
        high=min(1.0, value + 0.25),
        loss=1.0,
        correct_bits=base64.b64encode(np.packbits(bits).tobytes()).decode(),
    )


def row(kind, name, test, *, num_nonzero=1000, validation=None, seed=0, **changes):
    """Make a row of a network with 1,000 weights; ``test`` and ``validation`` are bits as text."""
    named = {
        "base": {"seed": None},
        "dense": {"seed": seed},
        "family": {"seed": seed, "criterion": "magnitude"},
        "rival": {"seed": seed, "asked_sparsity": 1 - num_nonzero / 1000},
    }[kind]
    measured = {
        "sparsity": 1 - num_nonzero / 1000,
        "num_weights": 1000,
        "num_nonzero": num_nonzero,
        "bytes": 100 + 4 * num_nonzero,
        "validation_after_mask": 0.1,
        "validation_after_batch_norm": 0.2,
        "validation": accuracy(validation or test),
        "test": accuracy(test),
        "epochs_run": 2,
        "best_epoch": 1,
        "seconds": 10.0,
        "cpu_seconds": 15.0,
        "base_digest": "b" * 64,
        "data_digest": "d" * 64,
        "finished_at": "2026-11-22T10:00:30+00:00",
    }
    values = {"kind": kind, "name": name} | measured | named | MACHINE | changes
    return StudyRow.model_validate(values)


def int8_row(label, test):
    """Make the row of an int8 file of a hundred bytes; ``test`` is bits as text."""
    return Int8Row(
        label=label,
        num_nonzero=90,
        sparsity=0.91,
        bytes=100,
        validation=accuracy(test),
        test=accuracy(test),
        seconds=1.0,
        **MACHINE,
    )


@pytest.fixture
def make_int8_row():
    """Make a row as ``int8_row`` does."""
    return int8_row


@pytest.fixture
def make_row():
    """Make a row as ``row`` does."""
    return row


@pytest.fixture
def study_rows():
    """Nine rows: base and control, two strategies and MAG at one sparsity, with two seeds."""
    return (
        row("base", "base", "1111111100"),  # 0.8
        row("dense", "dense", "1111111110"),  # 0.9
        row("dense", "dense", "1111111100", seed=1, validation="1111111110"),  # 0.8
        row("family", "balanced", "1111111100", num_nonzero=400),  # 0.8
        row("family", "balanced", "1111111110", num_nonzero=400, seed=1),  # 0.9
        row("family", "aggressive", "1111100000", num_nonzero=100),  # 0.5
        row("family", "aggressive", "1111110000", num_nonzero=100, seed=1),  # 0.6
        row("rival", "MAG", "1111000000", num_nonzero=401),  # 0.4
        row("rival", "MAG", "1111100000", num_nonzero=401, seed=1),  # 0.5
    )


@pytest.fixture
def study_config():
    return RunConfig(
        data={"name": "digits"},
        model={"architecture": "resnet18"},
        seeds=(0, 1),
        compare=("dense", "MAG"),
        strategies=("balanced", "aggressive"),
    )


@pytest.fixture
def study_plan():
    sizes = {"conv1": 200, "fc": 800}
    pruned = {"balanced": {"conv1": 40, "fc": 560}, "aggressive": {"conv1": 150, "fc": 750}}
    return PlanRecord(
        layers=tuple(
            LayerRecord(
                name=x, role="convolution", num_weights=sizes[x], observed=None, range=(0, 1)
            )
            for x in sizes
        ),
        strategies=tuple(
            StrategyRecord(
                name=name,
                digest=name,
                sparsity=sum(counts.values()) / 1000,
                layers={layer: counts[layer] / sizes[layer] for layer in sizes},
                num_pruned=counts,
            )
            for name, counts in pruned.items()
        ),
        normalization_layers=("bn1",),
    )
