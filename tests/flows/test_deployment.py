"""Int8 files and latencies of an untrained network on images of noise, with real workers."""

import pytest
import torch
from prefect import flow
from safetensors.torch import save_file

from flows.deployment import deploy
from flows.local_workers import local_workers
from flows.session import Session
from flows.watch import NullWatch
from mixmatch.config import parse_run_config
from mixmatch.models import build_model
from mixmatch.packed import save_packed
from mixmatch.records import (
    Accuracy,
    Artifact,
    BaseRecord,
    DataRecord,
    FamilyRecord,
    MemberRecord,
    ModelSpec,
    Result,
)

pytestmark = pytest.mark.service

RUN = {
    "data": {"name": "digits"},
    "model": {"architecture": "test_resnet"},
    "engine": {"workers": 1, "device": "cpu", "precision": "float32"},
}
SPEC = ModelSpec(
    architecture="test_resnet",
    arguments={},
    num_classes=3,
    image_shape=(16, 16, 3),
    mean=(0.5, 0.5, 0.5),
    std=(0.25, 0.25, 0.25),
    classes=("circle", "square", "star"),
)
SPLITS = {"train": (0, 40), "calibration": (40, 48), "validation": (48, 64), "test": (64, 80)}
SOME = Accuracy(
    num_correct=5, num_images=16, value=0.3125, low=0.1, high=0.5, loss=1.0, correct_bits="+AA="
)
LOST = Artifact(digest="1" * 64, size_bytes=10)  # that no store holds


def put(store, tensors):
    with store.scratch() as folder:
        save_file(tensors, folder / "file")
        return store.put(folder / "file")


@pytest.fixture(scope="module")
def data(server_site):
    torch.manual_seed(0)
    images = torch.randint(0, 256, (80, 16, 16, 3), dtype=torch.uint8)
    rows = {name: torch.arange(*ends) for name, ends in SPLITS.items()}
    tensors = {"images": images, "labels": torch.arange(80) % 3, **rows}
    return DataRecord(
        name="noise",
        source="embedded",
        source_digest="d" * 64,
        artifact=put(server_site.open_store(), tensors),
        num_images={name: end - start for name, (start, end) in SPLITS.items()},
        classes=SPEC.classes,
        image_shape=SPEC.image_shape,
        mean=SPEC.mean,
        std=SPEC.std,
        augmentation="none",
    )


@pytest.fixture(scope="module")
def family(server_site):
    """A base, and one member: the same network, nothing pruned."""
    store = server_site.open_store()
    torch.manual_seed(1)
    network = build_model(SPEC)
    with store.scratch() as folder:
        save_packed(folder / "member", network, SPEC)
        packed = store.put(folder / "member")
    base = BaseRecord(
        spec=SPEC,
        source="trained",
        artifact=put(store, network.state_dict()),
        num_parameters=1000,
        num_weights=900,
        validation=SOME,
        test=SOME,
        warnings=(),
        seconds=1.0,
    )
    return FamilyRecord(name="noise", base=base, results=(result("whole", packed),), failed={})


def result(strategy, packed):
    member = MemberRecord(
        artifact=packed,
        mask_digest="e" * 64,
        num_weights=900,
        num_nonzero=900,
        num_parameters=1000,
        sparsity=0.0,
        sparsity_of_all=0.0,
        layer_sparsity={},
        validation_after_mask=SOME,
        validation_after_batch_norm=SOME,
        validation=SOME,
        test=SOME,
        epochs=(),
        best_epoch=-1,
        seconds=1.0,
    )
    return Result(
        strategy=strategy,
        also=(),
        criterion="magnitude",
        seed=0,
        member=member,
        accuracy_drop=0.0,
        cached=False,
        on_front=True,
        mean_validation=0.5,
        front_share=1.0,
        key=strategy,
    )


@pytest.fixture(scope="module")
def deployed(server_site, data):
    """Deploy a family within a flow; returns it with what is warned of, and the session."""

    def run(family, **settings):
        config = parse_run_config(RUN | settings, "r")
        site = server_site.model_copy(
            update={"progress": str(server_site.open_workspace().runs / "progress")}
        )
        with local_workers(site) as workers:
            session = Session(config, site, None, NullWatch(), None, workers)

            @flow
            def parent():
                return deploy(session, data, family)

            found, warnings = parent()
        return found, warnings, session

    return run


@pytest.fixture(scope="module")
def first(deployed, family):
    return deployed(family)


def test_the_front_gets_int8_files_and_latencies(first, family, server_site):
    found, warnings, session = first
    assert (found.failed, warnings) == ({}, ())
    (whole,) = found.results
    store = server_site.open_store()
    assert store.path(whole.int8.artifact).stat().st_size < whole.member.artifact.size_bytes / 2
    networks = {timing.network for timing in found.latency.timings}
    assert networks == {family.base.artifact.digest, whole.member.artifact.digest}
    assert {timing.batch for timing in found.latency.timings} == {1, 32}
    assert set(session.seconds) == {"quantize", "latency"}


def test_neither_counts_and_both_are_found_again(first, deployed, family):
    again, _, session = deployed(family)
    assert (session.hits, session.misses) == (0, 0)
    assert again == first[0]  # with the seconds of the first time


def test_what_fails_is_named_and_loses_nothing_else(first, deployed, family):
    whole = family.results[0]
    both = family.model_copy(
        update={"results": (whole, result("lost", LOST)), "failed": {"other/magnitude/0": "why"}}
    )
    found, (warning,), _ = deployed(both)
    assert found.results[0] == first[0].results[0]
    assert (found.results[1].int8, found.latency) == (None, None)
    assert list(found.failed) == ["other/magnitude/0", "lost/magnitude/0/int8"]
    assert LOST.digest in found.failed["lost/magnitude/0/int8"]
    assert warning.startswith("Latencies are missing: The store")
    assert LOST.digest in warning


def test_nothing_is_done_that_was_not_asked_for(deployed, family):
    found, warnings, session = deployed(family, quantize="none", latency="none")
    assert (found, warnings) == (family, ())
    assert session.seconds == {}
