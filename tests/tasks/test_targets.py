"""The search for targets on a network that was trained on two easy classes for a moment."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from mixmatch.config import FineTuneSettings, RangeSettings
from mixmatch.errors import ConfigError
from mixmatch.images import ImageSet, Preprocessing, ordered_batches
from mixmatch.models import build_model
from mixmatch.records import Execution, ModelSpec
from mixmatch.training import train
from tasks.jobs import MemberJob, PlanJob, SensitivityJob, TargetsJob
from tasks.site import Site
from tasks.steps import make_member, make_plan, measure_sensitivity
from tasks.targets import compute
from tasks.workspace import Workspace

SPEC = ModelSpec(
    architecture="test_resnet",
    arguments={},
    num_classes=2,
    image_shape=(16, 16, 3),
    mean=(0.5, 0.5, 0.5),
    std=(0.25, 0.25, 0.25),
    classes=("dark", "light"),
)
EXECUTION = Execution(
    device="cpu", precision="float32", threads=1, small_convolutions="native", versions={}
)
SPLITS = {"train": (0, 64), "calibration": (64, 80), "validation": (80, 160), "test": (160, 170)}
RANGES = {"baselines": ("MAG", "SNIP"), "targets": "auto", "constraints": {"small_below": 0}}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return Site.at(Workspace.open(tmp_path_factory.mktemp("targets") / "workspace"))


@pytest.fixture(scope="module")
def images():
    """Noise, and half of it a little lighter."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 200, (170, 16, 16, 3), generator=generator)
    labels = torch.arange(170) % 2
    return ImageSet((pixels + 40 * labels.view(-1, 1, 1, 1)).to(torch.uint8), labels)


@pytest.fixture(scope="module")
def put(site):
    def write(tensors):
        store = site.open_store()
        with store.scratch() as folder:
            save_file(tensors, folder / "file")
            return store.put(folder / "file")

    return write


@pytest.fixture(scope="module")
def base(put, images):
    torch.manual_seed(0)
    model = build_model(SPEC)
    part = ImageSet(images.images[:64], images.labels[:64])
    train(
        model,
        ordered_batches(part, Preprocessing(SPEC.mean, SPEC.std), 16),
        epochs=3,
        learning_rate=0.01,
        weight_decay=0.0,
        schedule="constant",
        steps_per_epoch=4,
    )
    return put(model.state_dict())


@pytest.fixture(scope="module")
def data(put, images):
    splits = {name: torch.arange(*ends) for name, ends in SPLITS.items()}
    return put({"images": images.images, "labels": images.labels, **splits})


@pytest.fixture(scope="module")
def scores(site, base, data):
    job = SensitivityJob(
        base=base, data=data, spec=SPEC, hessian=False, batch=8, execution=EXECUTION
    )
    return measure_sensitivity(job=job, site=site).artifact


@pytest.fixture
def wanted(base, data, scores):
    def job(**changes):
        values = {
            "base": base,
            "data": data,
            "spec": SPEC,
            "scores": scores,
            "ranges": RangeSettings(**RANGES, largest_loss=0.2),
            "criteria": ("magnitude",),
            "batch_norm_images": 64,
            "seed": 0,
            "execution": EXECUTION,
        }
        return TargetsJob(**(values | changes))

    return job


@pytest.fixture
def instant(site, wanted):
    """Compute the member that a probe tried, as a run would."""

    def member(probe, criterion):
        job = wanted()
        plan = make_plan(
            job=PlanJob(
                base=job.base,
                spec=SPEC,
                scores=job.scores,
                ranges=RangeSettings(**{**RANGES, "targets": (probe.target,)}),
                strategies=(probe.strategy,),
                seed=0,
                versions={},
            ),
            site=site,
        )
        member_job = MemberJob(
            base=job.base,
            data=job.data,
            spec=SPEC,
            criterion=criterion,
            scores=job.scores,
            num_pruned=plan.strategies[0].num_pruned,
            fine_tune=FineTuneSettings(max_epochs=0, batch_norm_images=64),
            augmentation="none",
            seed=0,
            execution=EXECUTION,
        )
        return make_member(job=member_job, site=site, label="probe")

    return member


def test_targets_span_from_no_loss_to_the_largest(site, wanted):
    record = compute(wanted(), site)
    assert list(record.targets) == sorted(set(record.targets))
    assert all(0.5 <= target <= 0.999 for target in record.targets)
    losses = {(x.strategy, x.target): x.loss for x in record.probes}
    assert losses["aggressive", record.targets[-1]] <= 0.2
    assert max(losses.values()) > 0.2  # the search met both sides


def test_a_probe_loses_what_the_instant_member_of_its_plan_loses(site, wanted, instant):
    record = compute(wanted(), site)
    dense = FineTuneSettings(max_epochs=0, batch_norm_images=0)
    for probe in (record.probes[0], record.probes[-1]):
        member = instant(probe, "magnitude")
        assert probe.sparsity == member.sparsity
        job = wanted()
        base = MemberJob(
            base=job.base,
            data=job.data,
            spec=SPEC,
            criterion="magnitude",
            scores=None,
            num_pruned=dict.fromkeys(member.layer_sparsity, 0),
            fine_tune=dense,
            augmentation="none",
            seed=0,
            execution=EXECUTION,
        )
        reached = make_member(job=base, site=site, label="base").validation.value
        assert probe.loss == pytest.approx(reached - member.validation.value)


def test_of_several_criteria_the_best_counts_at_each_probe(site, wanted):
    alone = [compute(wanted(criteria=(x,)), site).probes[0] for x in ("magnitude", "gradient")]
    both = compute(wanted(criteria=("magnitude", "gradient")), site).probes[0]
    assert {probe.target for probe in alone} == {both.target}
    assert both.loss == min(probe.loss for probe in alone)


def test_test_and_calibration_images_are_not_read(site, wanted, put):
    job = wanted()
    tensors = load_file(site.open_store().path(job.data))
    kept = {name: x for name, x in tensors.items() if name not in {"test", "calibration"}}
    assert compute(wanted(data=put(kept)), site).targets == compute(job, site).targets


def test_roles_of_the_run_file_reach_the_ranges(site, wanted):
    ranges = RangeSettings(**RANGES, largest_loss=0.2, roles={"other": (0.0, 0.0)})
    record = compute(wanted(ranges=ranges, roles={"*": "other"}), site)
    assert record.targets == (0.999,)  # nothing is pruned, so nothing is lost
    assert {(x.sparsity, x.loss) for x in record.probes} == {(0.0, 0.0)}


def test_a_loss_that_cannot_be_kept_is_wrong_input(site, wanted):
    ranges = RangeSettings(**RANGES, largest_loss=0.2, roles={"other": (1.0, 1.0)})
    with pytest.raises(ConfigError, match=r"ranges.largest_loss must be at least 0\.\d+ for"):
        compute(wanted(ranges=ranges, roles={"*": "other"}), site)
