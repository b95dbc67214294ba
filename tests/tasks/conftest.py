"""A network of two layers, its data set, and three strategies of which two are equal."""

import pytest

from mixmatch.records import (
    Accuracy,
    Artifact,
    BaseRecord,
    DataRecord,
    HostRecord,
    LatencyRecord,
    LayerRecord,
    MemberRecord,
    ModelSpec,
    PlanRecord,
    QuantizedRecord,
    Result,
    StrategyRecord,
    Timing,
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


@pytest.fixture
def tiny_result(half_right):
    member = MemberRecord(
        artifact=Artifact(digest="c" * 64, size_bytes=1234),
        mask_digest="e" * 64,
        num_weights=2000,
        num_nonzero=500,
        num_parameters=2050,
        sparsity=0.75,
        sparsity_of_all=1500 / 2050,
        layer_sparsity={"conv": 0.75, "fc": 0.75},
        validation_after_mask=half_right,
        validation_after_batch_norm=half_right,
        validation=half_right,
        test=half_right.model_copy(update={"value": 0.45}),
        epochs=(),
        best_epoch=-1,
        seconds=1.0,
    )
    return Result(
        strategy="balanced",
        also=("percentile_50",),
        criterion="magnitude",
        seed=0,
        member=member,
        accuracy_drop=0.05,
        cached=False,
        on_front=True,
        mean_validation=0.9,
        front_share=0.9,
        key="k1",
    )


@pytest.fixture
def make_int8(half_right):
    """Make the int8 file of some member."""

    def make(digest="8" * 64, *, size_bytes=400, **changes):
        record = QuantizedRecord(
            artifact=Artifact(digest=digest, size_bytes=size_bytes),
            num_nonzero=490,
            sparsity=0.755,
            validation=half_right,
            test=half_right,
            seconds=1.0,
        )
        return record.model_copy(update=changes)

    return make


@pytest.fixture
def make_latency():
    """Measure networks, given by digest: each takes a millisecond longer than the one before."""

    def make(*networks):
        timings = tuple(
            Timing(
                network=network,
                runtime=runtime,
                batch=1,
                median_s=(1 + place) * 1e-3,
                low_s=(1 + place) * 1e-3 - 1e-4,
                high_s=(1 + place) * 1e-3 + 1e-4,
                num_repeats=50,
            )
            for place, network in enumerate(networks)
            for runtime in ("torch", "onnx")
        )
        host = HostRecord(
            processor="Example CPU", num_processors=4, system="Linux x86_64", versions={}
        )
        return LatencyRecord(host=host, threads=2, timings=timings, seconds=9.0)

    return make
