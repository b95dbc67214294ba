import hashlib
import textwrap
from pathlib import Path

import pytest

from mixmatch.config import RunConfig
from mixmatch.errors import ConfigError
from mixmatch.records import Artifact, SensitivityRecord, TargetsRecord
from tasks.checkpoint import LocatedCheckpoint
from tasks.orders import (
    base_job,
    lone_execution,
    member_execution,
    plan_job,
    rivals_job,
    sensitivity_job,
    targets_job,
)

SCORES = SensitivityRecord(
    artifact=Artifact(digest="5" * 64, size_bytes=3), num_images=50, seconds=1.0
)


def config_of(**sections):
    minimal = {"data": {"name": "digits"}, "model": {"architecture": "resnet18"}}
    return RunConfig.model_validate(minimal | sections)


@pytest.fixture
def checkpoint():
    return LocatedCheckpoint(label="base.pt", digest="c" * 64, path="/base.pt")


def test_the_number_of_workers_does_not_change_how_a_member_computes():
    one, many = (config_of(engine={"workers": n}).engine for n in (1, 8))
    assert member_execution(one) == member_execution(many)


def test_a_checkpoint_is_known_by_its_digest_and_not_by_its_name(tiny_data, checkpoint):
    here, there = (
        base_job(config_of(model=model), tiny_data, checkpoint)
        for model in (
            {"architecture": "resnet18", "checkpoint": "/here.pt"},
            {"architecture": "resnet18", "checkpoint": "/there.pt"},
        )
    )
    assert here.key == there.key
    assert here.checkpoint_digest == "c" * 64


def test_the_base_takes_the_run_files_normalization_first(tiny_data, checkpoint):
    normalized = config_of(data={"name": "digits", "normalization": [[0.1], [0.2]], "channels": 1})
    of_checkpoint = checkpoint.model_copy(update={"mean": (0.6,), "std": (0.7,)})
    one_channel = config_of(data={"name": "digits", "channels": 1})
    assert base_job(normalized, tiny_data, of_checkpoint).spec.mean == (0.1,)
    assert base_job(one_channel, tiny_data, of_checkpoint).spec.mean == (0.6,)
    assert base_job(one_channel, tiny_data, checkpoint).spec.mean == tiny_data.mean


def test_refuses_a_checkpoints_normalization_of_other_channels(tiny_data, checkpoint):
    of_colours = checkpoint.model_copy(update={"mean": (0.5,) * 3, "std": (0.2,) * 3})
    grey = config_of(data={"name": "digits", "channels": 1})
    with pytest.raises(ConfigError, match=r"data.channels must be 3 .* of base.pt, got 1"):
        base_job(grey, tiny_data, of_colours)


def test_the_sensitivity_pass_is_float32_and_needs_the_hessian_for_grasp_only(tiny_data, tiny_base):
    half = config_of(engine={"precision": "bfloat16"})
    assert sensitivity_job(half, tiny_data, tiny_base).execution.precision == "float32"
    assert sensitivity_job(half, tiny_data, tiny_base).hessian
    without = config_of(ranges={"baselines": ["MAG", "SNIP"]})
    assert not sensitivity_job(without, tiny_data, tiny_base).hessian


def test_a_plan_asks_for_the_ten_strategies_unless_some_are_named(tiny_base):
    assert len(plan_job(config_of(), tiny_base, SCORES).strategies) == 10
    two = plan_job(config_of(strategies=["aggressive", "balanced"]), tiny_base, SCORES)
    assert two.strategies == ("aggressive", "balanced")


def test_the_seed_is_an_input_of_the_plan_only_with_the_random_baseline(tiny_base):
    seeded = config_of(seed=5)
    drawn = config_of(seed=5, ranges={"baselines": ["random"]})
    assert plan_job(seeded, tiny_base, SCORES).seed == 0
    assert plan_job(drawn, tiny_base, SCORES).seed == 5


def test_a_preset_needs_no_hessian_unless_a_rival_does(tiny_data, tiny_base):
    preset = {"ranges": {"preset": "swin"}}
    assert not sensitivity_job(config_of(**preset), tiny_data, tiny_base).hessian
    assert sensitivity_job(config_of(**preset, compare=["GraSP"]), tiny_data, tiny_base).hessian


def test_targets_are_searched_only_where_the_run_file_leaves_them_open(tiny_data, tiny_base):
    auto = {"targets": "auto", "largest_loss": 0.05}
    assert targets_job(config_of(), tiny_data, tiny_base, SCORES) is None
    preset = config_of(ranges=auto | {"preset": "swin"})
    assert targets_job(preset, tiny_data, tiny_base, SCORES) is None
    job = targets_job(config_of(ranges=auto), tiny_data, tiny_base, SCORES)
    assert job.ranges.largest_loss == 0.05


def test_a_plan_at_found_targets_is_that_of_the_same_targets_given(tiny_base):
    found = TargetsRecord(targets=(0.5, 0.75), probes=(), seconds=1.0)
    auto = config_of(ranges={"targets": "auto", "largest_loss": 0.05})
    given = config_of(ranges={"targets": [0.5, 0.75]})
    assert plan_job(auto, tiny_base, SCORES, found).key == plan_job(given, tiny_base, SCORES).key


def test_rivals_prune_what_the_family_reaches_unless_sparsities_are_given(tiny_base, tiny_plan):
    job = rivals_job(config_of(compare=["MAG", "dense"]), tiny_base, SCORES, tiny_plan)
    assert (job.rivals, job.sparsities, job.seeds) == (("MAG",), (0.5,), None)
    given = config_of(compare=["random"], compare_sparsities=[0.9, 0.8], seeds=[4, 2])
    job = rivals_job(given, tiny_base, SCORES, tiny_plan)
    assert (job.rivals, job.sparsities, job.seeds) == (("random",), (0.9, 0.8), (4, 2))


def test_the_dense_control_alone_needs_no_ranking(tiny_base, tiny_plan):
    assert rivals_job(config_of(compare=["dense"]), tiny_base, SCORES, tiny_plan) is None


def test_the_spec_of_a_users_own_network_names_its_code(tiny_data):
    own = config_of(model={"architecture": "textwrap:dedent"})
    expected = hashlib.sha256(Path(textwrap.__file__).read_bytes()).hexdigest()
    assert base_job(own, tiny_data, None).spec.code_digest == expected
    assert base_job(config_of(), tiny_data, None).spec.code_digest is None


def test_members_of_a_cluster_may_use_accelerators_that_this_machine_lacks(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.cpu.get_capabilities", dict)  # no native bfloat16 here
    far = config_of(engine={"kind": "dask", "address": "tcp://far:1", "device": "cuda"}).engine
    here = config_of(engine={"device": "cuda"}).engine
    execution = member_execution(far)
    assert (execution.device, execution.precision, execution.threads) == ("cuda", "bfloat16", 0)
    # A drop is between the base, evaluated here, and members that are evaluated there.
    alone = lone_execution(far)
    assert (alone.device, alone.precision) == ("cpu", "bfloat16")
    with pytest.raises(ConfigError, match=r"engine.device must be auto or cpu on a machine"):
        member_execution(here)


def test_both_engines_ask_for_the_same_jobs_on_a_processor():
    far = config_of(engine={"kind": "dask", "address": "tcp://far:1", "device": "cpu"}).engine
    assert member_execution(far) == member_execution(config_of(engine={"device": "cpu"}).engine)
