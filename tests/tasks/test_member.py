"""One member for real, on a network that was never trained and images of noise."""

import time

import pytest
import torch
from safetensors.torch import load_file, save_file

from mixmatch.config import DistillSettings, FineTuneSettings
from mixmatch.errors import ArtifactError, TrainingError
from mixmatch.masks import mask_digest
from mixmatch.models import build_model
from mixmatch.packed import read_packed
from mixmatch.records import Execution, ModelSpec
from tasks import member_training
from tasks.jobs import MemberJob, SensitivityJob
from tasks.site import Site
from tasks.steps import make_member, measure_sensitivity
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
LAYER = "conv1.0"  # of 432 weights
ONE_EPOCH = FineTuneSettings(max_epochs=1, learning_rate=0.01, batch_size=8)
# What is loaded and masked is packed as it is.
NOTHING = FineTuneSettings(max_epochs=0, batch_norm_images=0)


class Bench:
    """A store with a base and a data set, and members of them."""

    def __init__(self, folder):
        self.site = Site.at(Workspace.open(folder))
        self.store = self.site.open_store()
        torch.manual_seed(0)
        self.base = self.put(build_model(SPEC).state_dict())
        images = torch.randint(0, 256, (80, 16, 16, 3), dtype=torch.uint8)
        splits = {name: torch.arange(*ends) for name, ends in SPLITS.items()}
        self.data = self.put({"images": images, "labels": torch.arange(80) % 3, **splits})

    def put(self, tensors):
        with self.store.scratch() as folder:
            save_file(tensors, folder / "file")
            return self.store.put(folder / "file")

    def job(self, **changes):
        values = {
            "base": self.base,
            "data": self.data,
            "spec": SPEC,
            "criterion": "magnitude",
            "scores": None,
            "num_pruned": {LAYER: 216},
            "fine_tune": ONE_EPOCH,
            "augmentation": "none",
            "seed": 0,
            "execution": EXECUTION,
        }
        return MemberJob(**(values | changes))

    def make(self, job):
        return make_member(job=job, site=self.site, label="a member")

    def state(self, record):
        return read_packed(self.store.path(record.artifact)).state


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path / "workspace")


def smallest_kept(bench, num_pruned):
    """Return the base's weight of the layer and which of it magnitude keeps."""
    weight = load_file(bench.store.path(bench.base))[f"{LAYER}.weight"]
    keep = torch.ones(weight.numel(), dtype=torch.bool)
    keep[weight.abs().flatten().argsort(stable=True)[:num_pruned]] = False
    return weight, keep.view(weight.shape)


def test_a_member_of_a_chain_starts_from_the_finished_network_of_another(bench):
    first = bench.job(num_pruned={LAYER: 100})
    before = bench.state(bench.make(first))
    record = bench.make(bench.job(start=first.key, fine_tune=NOTHING))
    after = bench.state(record)
    base_weight, keep = smallest_kept(bench, 216)
    name = f"{LAYER}.weight"
    assert torch.equal(after[name], torch.where(keep, before[name], 0.0))
    assert not torch.equal(after[name], torch.where(keep, base_weight, 0.0))
    assert all(torch.equal(after[x], before[x]) for x in before if x != name)
    assert record.num_weights - record.num_nonzero == 216


def test_the_mask_of_a_chained_member_is_that_of_one_from_the_base(bench):
    first = bench.job(num_pruned={LAYER: 100})
    bench.make(first)
    chained, alone = bench.make(bench.job(start=first.key)), bench.make(bench.job())
    assert chained.mask_digest == alone.mask_digest
    assert chained.artifact != alone.artifact


def test_a_chained_member_is_the_same_bytes_when_it_is_computed_again(bench):
    first = bench.job(num_pruned={LAYER: 100})
    bench.make(first)
    job = bench.job(start=first.key, augmentation="crop")
    record = bench.make(job)
    bench.store.path(record.artifact).unlink()
    assert bench.make(job).artifact == record.artifact


def test_a_start_that_was_never_computed_is_an_error(bench):
    with pytest.raises(ArtifactError, match=r"must hold the finished member 0{64} that this one"):
        bench.make(bench.job(start="0" * 64))


def test_a_start_that_pruned_what_is_to_be_kept_is_an_error_that_names_the_layer(bench):
    first = bench.job(num_pruned={LAYER: 217})
    bench.make(first)
    with pytest.raises(
        TrainingError, match=r"Layer conv1\.0 must lose at least the 217 weights .* got 216: masks"
    ):
        bench.make(bench.job(start=first.key))


def test_a_start_that_pruned_another_layer_is_an_error(bench):
    first = bench.job(num_pruned={LAYER: 216, "fc": 5})
    bench.make(first)
    with pytest.raises(TrainingError, match=r"Layer fc must lose at least the 5 .* got 0: masks"):
        bench.make(bench.job(start=first.key))


def test_a_start_of_another_criterion_is_an_error(bench):
    first = bench.job(criterion="uniform", num_pruned={LAYER: 100})
    bench.make(first)
    with pytest.raises(TrainingError, match=r"of its own criterion, magnitude, but .* of uniform"):
        bench.make(bench.job(start=first.key))


def test_the_effort_of_the_members_before_is_summed_up(bench):
    first = bench.job(num_pruned={LAYER: 100})
    before = bench.make(first)
    second = bench.job(num_pruned={LAYER: 200}, start=first.key)
    between = bench.make(second)
    last = bench.make(bench.job(start=second.key))
    assert (before.epochs_before, between.epochs_before, last.epochs_before) == (0, 1, 2)
    assert last.seconds_before == before.seconds + between.seconds


def test_zeros_of_the_base_itself_are_no_contradiction(bench):
    state = load_file(bench.store.path(bench.base))
    state["fc.weight"].view(-1)[:5] = 0.0
    base = bench.put(state)
    first = bench.job(base=base, fine_tune=NOTHING)
    bench.make(first)
    record = bench.make(bench.job(base=base, start=first.key, fine_tune=NOTHING))
    assert record.num_weights - record.num_nonzero == 216 + 5


def test_a_training_that_goes_on_meets_other_batches_than_the_one_before(bench, monkeypatch):
    seeds, real = [], member_training.shuffled_batches

    def watched(*arguments, generator, **settings):
        seeds.append(generator.initial_seed())
        return real(*arguments, generator=generator, **settings)

    monkeypatch.setattr(member_training, "shuffled_batches", watched)
    first = bench.job(seed=1)
    second = bench.job(seed=1, start=first.key)
    for job in (first, second, bench.job(seed=1, start=second.key)):
        bench.make(job)
    assert seeds[0] == 1
    assert len(set(seeds)) == 3


def test_the_dense_control_is_trained_alike_and_loses_nothing(bench):
    record = bench.make(bench.job(criterion="dense", num_pruned={}))
    assert (record.num_nonzero, record.sparsity) == (record.num_weights, 0.0)
    assert record.mask_digest == mask_digest({})
    assert len(record.epochs) == 1
    assert record.validation_after_batch_norm.loss != record.validation_after_mask.loss
    after = bench.state(record)
    base = load_file(bench.store.path(bench.base))
    assert not torch.equal(after[f"{LAYER}.weight"], base[f"{LAYER}.weight"])


def test_a_rival_prunes_the_lowest_of_its_own_scores(bench):
    sensitivity = SensitivityJob(
        base=bench.base, data=bench.data, spec=SPEC, hessian=False, batch=8, execution=EXECUTION
    )
    scores = measure_sensitivity(job=sensitivity, site=bench.site).artifact
    signal = load_file(bench.store.path(scores))[f"abs_gradient/{LAYER}"]
    record = bench.make(bench.job(criterion="PROD", scores=scores, fine_tune=NOTHING))
    weight, _ = smallest_kept(bench, 0)
    products = (weight * signal).abs().flatten()
    gone = bench.state(record)[f"{LAYER}.weight"].flatten() == 0
    assert int(gone.sum()) == 216
    assert products[gone].max() < products[~gone].min()


def test_distillation_trains_another_network_and_leaves_the_base_as_it_is(bench):
    plain = bench.make(bench.job())
    distilled = {
        weight: bench.make(
            bench.job(
                fine_tune=ONE_EPOCH.model_copy(
                    update={"distill": DistillSettings(weight=weight, temperature=2.0)}
                )
            )
        )
        for weight in (0.0, 0.5)
    }
    assert distilled[0.0].artifact == plain.artifact
    assert distilled[0.5].artifact != plain.artifact
    assert distilled[0.5].mask_digest == plain.mask_digest
    assert bench.store.is_intact(bench.base)


def test_batch_norm_is_re_estimated_in_the_precision_of_the_job(bench):
    untrained = FineTuneSettings(max_epochs=0)
    means = []
    for precision in ("float32", "bfloat16"):
        execution = EXECUTION.model_copy(update={"precision": precision})
        record = bench.make(bench.job(fine_tune=untrained, execution=execution))
        means.append(bench.state(record)["bn1.running_mean"])
    assert not torch.equal(*means)
    assert torch.allclose(*means, atol=0.02)  # bfloat16 has 8 bits


def test_the_time_on_all_processors_is_recorded(bench):
    before = time.process_time()
    record = bench.make(bench.job())
    assert 0 < record.cpu_seconds < time.process_time() - before
