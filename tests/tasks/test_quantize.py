"""Members rounded for real, on networks that were never trained and images of noise."""

import hashlib
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from mixmatch.config import FineTuneSettings
from mixmatch.errors import ArtifactError, PackedFormatError
from mixmatch.evaluation import evaluate
from mixmatch.execution import autocast_of
from mixmatch.images import ordered_batches
from mixmatch.layers import prunable_layers
from mixmatch.packed import load_packed, read_packed
from mixmatch.quantization import round_weight, round_weights_
from mixmatch.records import Artifact, Execution, ModelSpec
from tasks.factory import factory_of
from tasks.jobs import MemberJob, QuantizeJob
from tasks.networks import build_network, open_split, preprocessing_of
from tasks.progress import read_progress
from tasks.quantize import compute
from tasks.site import Site
from tasks.steps import make_member
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
LAYER = "conv1.0"  # of 16 channels of 27 weights
OWN_SOURCE = """
import torch


def build(num_classes, in_chans):
    first = torch.nn.Linear(256 * in_chans, 8)
    return torch.nn.Sequential(torch.nn.Flatten(), first, torch.nn.Linear(8, num_classes))
"""


class Bench:
    """A store with a data set, and members to round."""

    def __init__(self, folder):
        self.site = Site.at(Workspace.open(folder))
        self.store = self.site.open_store()
        torch.manual_seed(0)
        images = torch.randint(0, 256, (80, 16, 16, 3), dtype=torch.uint8)
        splits = {name: torch.arange(*ends) for name, ends in SPLITS.items()}
        self.data = self.put({"images": images, "labels": torch.arange(80) % 3, **splits})

    def put(self, tensors):
        with self.store.scratch() as folder:
            save_file(tensors, folder / "file")
            return self.store.put(folder / "file")

    def base(self, spec=SPEC, change_=None):
        """Store an untrained network; ``change_`` is done to it before."""
        torch.manual_seed(1)
        network = build_network(spec)
        if change_:
            with torch.no_grad():
                change_(network)
        return self.put(network.state_dict())

    def member(self, base, *, spec=SPEC, layer=LAYER, execution=EXECUTION):
        """Prune 100 weights of one layer, and nothing else."""
        job = MemberJob(
            base=base,
            data=self.data,
            spec=spec,
            criterion="magnitude",
            scores=None,
            num_pruned={layer: 100},
            fine_tune=FineTuneSettings(max_epochs=0, batch_norm_images=0),
            augmentation="none",
            seed=0,
            execution=execution,
        )
        return make_member(job=job, site=self.site, label="a member")

    def rounded(self, member, *, spec=SPEC, execution=EXECUTION, site=None):
        job = QuantizeJob(member=member, data=self.data, spec=spec, execution=execution)
        return compute(job, site or self.site, "a member int8")

    def state(self, artifact):
        return read_packed(self.store.path(artifact)).state

    def accuracy(self, artifact, split, spec=SPEC):
        """Evaluate a packed file, image by image as the pipeline does."""
        model = load_packed(self.store.path(artifact), factory=factory_of(spec))
        model.to(memory_format=torch.channels_last)
        images = open_split(self.store, self.data, split, "cpu")
        batches = ordered_batches(images, preprocessing_of(spec), 256)
        return evaluate(model, batches, autocast=autocast_of(EXECUTION))


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path / "workspace")


@pytest.fixture
def own_spec(tmp_path, monkeypatch):
    """Name a user's own network in the current folder."""
    (tmp_path / "own_rounded.py").write_text(OWN_SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    digest = hashlib.sha256(OWN_SOURCE.encode()).hexdigest()
    return SPEC.model_copy(update={"architecture": "own_rounded:build", "code_digest": digest})


def test_the_file_holds_the_members_weights_rounded_and_all_else_as_it_was(bench):
    member = bench.member(bench.base())
    record = bench.rounded(member.artifact)
    before, after = bench.state(member.artifact), bench.state(record.artifact)
    prunable = {f"{layer.name}.weight" for layer in prunable_layers(build_network(SPEC))}
    assert all(torch.equal(after[x], round_weight(before[x], "int8")) for x in prunable)
    assert all(torch.equal(after[x], before[x]) for x in before.keys() - prunable)
    assert record.artifact.size_bytes < member.artifact.size_bytes / 2
    assert all(after[x][before[x] == 0].eq(0).all() for x in prunable)


def test_what_is_recorded_is_what_the_stored_file_gives(bench):
    record = bench.rounded(bench.member(bench.base()).artifact)
    assert record.validation == bench.accuracy(record.artifact, "validation")
    assert record.test == bench.accuracy(record.artifact, "test")
    state = bench.state(record.artifact)
    layers = prunable_layers(build_network(SPEC))
    zeros = sum(int((state[f"{layer.name}.weight"] == 0).sum()) for layer in layers)
    num_weights = sum(layer.num_weights for layer in layers)
    assert zeros > 100  # some that were kept rounded to zero
    assert record.num_nonzero == num_weights - zeros
    assert record.sparsity == zeros / num_weights


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_it_is_evaluated_as_the_member_was(bench, precision):
    # Weights that are rounded already stay as they are, so that each last bit must be the same.
    execution = EXECUTION.model_copy(update={"precision": precision})
    base = bench.base(change_=lambda network: round_weights_(network, "int8"))
    member = bench.member(base, execution=execution)
    record = bench.rounded(member.artifact, execution=execution)
    assert (record.validation, record.test) == (member.validation, member.test)


def test_a_weight_that_rounds_to_zero_counts_as_zero(bench):
    def shrink_(network):
        round_weights_(network, "int8")
        weight = network.fc.weight
        weight[1] = 1.0
        weight[1, :7] = 1e-3  # less than half of 1 / 100

    member = bench.member(bench.base(change_=shrink_))
    record = bench.rounded(member.artifact)
    assert record.num_nonzero == member.num_nonzero - 7
    num_zeros = member.num_weights - member.num_nonzero + 7
    assert record.sparsity == num_zeros / member.num_weights


def test_it_is_the_same_bytes_when_it_is_computed_again(bench):
    member = bench.member(bench.base())
    assert bench.rounded(member.artifact).artifact == bench.rounded(member.artifact).artifact


def test_a_users_own_network_is_rounded_too(bench, own_spec):
    member = bench.member(bench.base(own_spec), spec=own_spec, layer="1")
    record = bench.rounded(member.artifact, spec=own_spec)
    assert record.test == bench.accuracy(record.artifact, "test", own_spec)
    assert bench.state(record.artifact)["1.weight"].count_nonzero() <= 8 * 768 - 100


def test_that_it_runs_is_told_under_its_label(bench, tmp_path):
    site = bench.site.model_copy(update={"progress": str(tmp_path / "progress")})
    bench.rounded(bench.member(bench.base()).artifact, site=site)
    (told,) = read_progress(Path(site.progress))
    assert (told.label, told.finished) == ("a member int8", True)


def test_a_member_that_the_store_lacks_is_an_error(bench):
    with pytest.raises(ArtifactError, match=r"must hold 0{64} with 7 bytes, found nothing"):
        bench.rounded(Artifact(digest="0" * 64, size_bytes=7))


def test_a_damaged_member_is_refused_and_nothing_is_stored(bench):
    member = bench.member(bench.base())
    path = bench.store.path(member.artifact)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    stored = sorted(bench.store.root.rglob("objects/*/*"))
    with pytest.raises(PackedFormatError, match="is damaged"):
        bench.rounded(member.artifact)
    assert sorted(bench.store.root.rglob("objects/*/*")) == stored
