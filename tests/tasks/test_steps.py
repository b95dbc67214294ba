"""The steps for real, on a network that was never trained and images of noise."""

import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from mixmatch.config import FineTuneSettings, RangeSettings
from mixmatch.errors import ArtifactError, ScoreError
from mixmatch.layers import prunable_layers
from mixmatch.models import build_model
from mixmatch.packed import load_packed
from mixmatch.records import Artifact, Execution, ModelSpec
from tasks import sensitivity as sensitivity_step
from tasks.jobs import MemberJob, PlanJob, QuantizeJob, SensitivityJob
from tasks.site import Site
from tasks.steps import make_member, make_plan, make_quantized, measure_sensitivity
from tasks.workspace import Workspace

SPEC = ModelSpec(
    architecture="test_resnet",
    arguments={},
    num_classes=3,
    image_shape=(16, 16, 3),
    mean=(0.5, 0.5, 0.5),
    std=(0.25, 0.25, 0.25),
    classes=("circle", "square", "star"),
)
EXECUTION = Execution(
    device="cpu", precision="float32", threads=1, small_convolutions="native", versions={}
)
SPLITS = {"train": (0, 40), "calibration": (40, 48), "validation": (48, 64), "test": (64, 80)}


@pytest.fixture
def site(tmp_path):
    return Site.at(Workspace.open(tmp_path / "workspace"))


@pytest.fixture
def put(site):
    """Put tensors into the store as one file."""

    def write(tensors):
        store = site.open_store()
        with store.scratch() as folder:
            save_file(tensors, folder / "file")
            return store.put(folder / "file")

    return write


@pytest.fixture
def inputs(put):
    """What all jobs read: base, data, spec, execution."""
    torch.manual_seed(0)
    base = put(build_model(SPEC).state_dict())
    images = torch.randint(0, 256, (80, 16, 16, 3), dtype=torch.uint8)
    splits = {name: torch.arange(*ends) for name, ends in SPLITS.items()}
    data = put({"images": images, "labels": torch.arange(80) % 3, **splits})
    return {"base": base, "data": data, "spec": SPEC, "execution": EXECUTION}


@pytest.fixture
def sensitivity(inputs):
    return SensitivityJob(**inputs, hessian=False, batch=8)


@pytest.fixture
def member(inputs):
    """Make an instant member: half of ``conv1.0`` goes, and nothing else."""
    names = [layer.name for layer in prunable_layers(build_model(SPEC))]

    def job(**changes):
        values = {
            "criterion": "magnitude",
            "scores": None,
            "num_pruned": dict.fromkeys(names, 0) | {"conv1.0": 216},
            "fine_tune": FineTuneSettings(max_epochs=0),
            "augmentation": "none",
            "seed": 0,
        }
        return MemberJob(**inputs, **(values | changes))

    return job


def test_a_step_is_computed_once_and_found_by_its_job_from_then_on(site, sensitivity):
    first = measure_sensitivity(job=sensitivity, site=site)
    assert first.num_images == 8
    assert measure_sensitivity(job=sensitivity, site=site) == first  # its seconds too


def test_of_two_who_compute_a_step_the_first_is_right(site, sensitivity, monkeypatch):
    """A worker that was given up may finish later, elsewhere and with other last bits."""
    store, compute = site.open_store(), sensitivity_step.compute

    def slow(job, site):
        mine = compute(job, site)
        store.commit(job.step, job.key, job.inputs, mine.model_copy(update={"seconds": 7.0}))
        return mine

    monkeypatch.setattr(sensitivity_step, "compute", slow)
    assert measure_sensitivity(job=sensitivity, site=site).seconds == 7.0
    found = store.find(sensitivity.step, sensitivity.key, sensitivity.kind)
    assert found.seconds == 7.0


def test_a_step_whose_file_is_gone_is_computed_again_to_the_same_bytes(site, sensitivity):
    first = measure_sensitivity(job=sensitivity, site=site)
    site.open_store().path(first.artifact).unlink()
    again = measure_sensitivity(job=sensitivity, site=site)
    assert again.artifact == first.artifact
    assert site.open_store().is_intact(first.artifact)


def test_the_plan_lists_strategies_as_they_were_asked_for(site, inputs, sensitivity):
    scores = measure_sensitivity(job=sensitivity, site=site)
    job = PlanJob(
        base=inputs["base"],
        spec=SPEC,
        scores=scores.artifact,
        ranges=RangeSettings(baselines=("MAG", "SNIP")),
        strategies=("balanced", "aggressive"),
        seed=0,
        versions={},
    )
    plan = make_plan(job=job, site=site)
    assert [strategy.name for strategy in plan.strategies] == ["balanced", "aggressive"]
    assert make_plan(job=job, site=site) == plan


def test_an_instant_member_is_masked_and_measured_at_three_points(site, member):
    record = make_member(job=member(), site=site, label="half/magnitude/0")
    network = load_packed(site.open_store().path(record.artifact))
    assert int((network.get_submodule("conv1.0").weight == 0).sum()) == 216
    assert record.num_nonzero == record.num_weights - 216
    assert record.layer_sparsity["conv1.0"] == 0.5
    assert (record.epochs, record.best_epoch) == ((), -1)
    assert record.validation == record.validation_after_batch_norm
    assert record.validation_after_batch_norm.loss != record.validation_after_mask.loss
    assert (record.validation.num_images, record.test.num_images) == (16, 16)


def test_fine_tuning_keeps_the_mask_and_depends_on_the_seed(site, member):
    tuned = FineTuneSettings(max_epochs=2, learning_rate=0.01, batch_size=8)
    jobs = [member(fine_tune=tuned, seed=seed) for seed in (0, 1)]
    records = [make_member(job=job, site=site, label="half/magnitude") for job in jobs]
    assert [record.num_weights - record.num_nonzero for record in records] == [216, 216]
    assert [len(record.epochs) for record in records] == [2, 2]
    assert records[0].mask_digest == records[1].mask_digest
    assert records[0].artifact != records[1].artifact


def test_a_member_is_the_same_bytes_when_it_is_computed_again(site, member):
    job = member(fine_tune=FineTuneSettings(max_epochs=1), augmentation="crop")
    first = make_member(job=job, site=site, label="a")
    site.open_store().path(first.artifact).unlink()
    assert make_member(job=job, site=site, label="b").artifact == first.artifact


def test_a_member_is_rounded_once_and_found_by_its_job_from_then_on(site, member, inputs):
    record = make_member(job=member(), site=site, label="half/magnitude/0")
    job = QuantizeJob(member=record.artifact, data=inputs["data"], spec=SPEC, execution=EXECUTION)
    first = make_quantized(job=job, site=site, label="half/magnitude/0 int8")
    assert first.artifact.size_bytes < record.artifact.size_bytes
    assert make_quantized(job=job, site=site, label="again") == first  # its seconds too


def test_scores_that_are_not_numbers_name_their_layer_and_leave_no_record(
    site, member, sensitivity, put
):
    scores = measure_sensitivity(job=sensitivity, site=site)
    tensors = load_file(site.open_store().path(scores.artifact))
    tensors["abs_gradient/conv1.0"].view(-1)[3] = float("nan")
    job = member(criterion="gradient", scores=put(tensors))
    with pytest.raises(ScoreError, match=r"conv1\.0"):
        make_member(job=job, site=site, label="half/gradient/0")
    assert site.open_store().find(job.step, job.key, job.kind) is None


def test_a_member_whose_scores_are_gone_says_which_file(site, member):
    gone = Artifact(digest="0" * 64, size_bytes=7)
    job = member(criterion="gradient", scores=gone)
    with pytest.raises(ArtifactError, match=r"must hold 0{64} with 7 bytes, found nothing"):
        make_member(job=job, site=site, label="half/gradient/0")


def test_the_steps_load_without_what_computes():
    check = "import sys, tasks.steps; assert not {'torch', 'timm'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)
