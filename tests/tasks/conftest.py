"""A network of two layers, its data set, and three strategies of which two are equal."""

import pytest

from mixmatch.records import (
    Accuracy,
    Artifact,
    BaseRecord,
    DataRecord,
    LayerRecord,
    ModelSpec,
    PlanRecord,
    StrategyRecord,
)


@pytest.fixture
def half_right():
    return Accuracy(
        num_correct=50, num_images=100, value=0.5, low=0.4, high=0.6, loss=1.0, correct_bits=""
    )


@pytest.fixture
def tiny_data():
    return DataRecord(
        name="digits",
        source="embedded",
        source_digest="d" * 64,
        artifact=Artifact(digest="a" * 64, size_bytes=10),
        num_images={"train": 1000, "calibration": 50, "validation": 100, "test": 100},
        classes=("zero", "one"),
        image_shape=(8, 8, 1),
        mean=(0.3,),
        std=(0.25,),
        augmentation="crop",
    )


@pytest.fixture
def tiny_base(half_right):
    spec = ModelSpec(
        architecture="tiny",
        arguments={},
        num_classes=2,
        image_shape=(8, 8, 1),
        mean=(0.5,),
        std=(0.5,),
        classes=("zero", "one"),
    )
    return BaseRecord(
        spec=spec,
        source="trained",
        artifact=Artifact(digest="b" * 64, size_bytes=4 * 2000 + 300),
        num_parameters=2050,
        num_weights=2000,
        validation=half_right,
        test=half_right,
        warnings=("The base guesses.",),
        seconds=1.0,
    )


@pytest.fixture
def tiny_plan():
    layers = tuple(
        LayerRecord(name=name, role=role, num_weights=1000, observed=(0.2, 0.9), range=(0.0, 1.0))
        for name, role in (("conv", "convolution"), ("fc", "classifier"))
    )
    strategies = tuple(
        StrategyRecord(
            name=name,
            digest=f"rho {rho}",
            sparsity=rho,
            layers={"conv": rho, "fc": rho},
            num_pruned={"conv": round(1000 * rho), "fc": round(1000 * rho)},
        )
        for name, rho in (("dense", 0.0), ("balanced", 0.5), ("percentile_50", 0.5))
    )
    return PlanRecord(layers=layers, strategies=strategies, normalization_layers=("bn",))
