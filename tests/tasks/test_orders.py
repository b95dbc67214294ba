import pytest

from mixmatch.config import RunConfig
from mixmatch.errors import ConfigError
from mixmatch.records import Artifact, ObservationRecord, SensitivityRecord
from tasks.checkpoint import LocatedCheckpoint
from tasks.orders import (
    base_job,
    member_execution,
    members,
    plan_job,
    references,
    sensitivity_job,
)

SCORES = SensitivityRecord(
    artifact=Artifact(digest="5" * 64, size_bytes=3), num_images=50, seconds=1.0
)


def config_of(**sections):
    minimal = {"data": {"name": "digits"}, "model": {"architecture": "resnet18"}}
    return RunConfig.model_validate(minimal | sections)


@pytest.fixture
def members_of(tiny_data, tiny_base, tiny_plan):
    return lambda **sections: members(
        config_of(**sections), tiny_data, tiny_base, SCORES, tiny_plan
    )


@pytest.fixture
def checkpoint():
    return LocatedCheckpoint(label="base.pt", digest="c" * 64, path="/base.pt")


def test_equal_configurations_are_one_member_under_both_names(members_of):
    found = [(x.strategy, x.also, x.criterion, x.seed) for x in members_of()]
    assert found == [
        ("dense", (), "magnitude", 0),
        ("balanced", ("percentile_50",), "magnitude", 0),
    ]


def test_members_come_by_criterion_then_strategy_then_seed(members_of):
    found = members_of(criteria=["product", "magnitude"], seeds=[7, 3])
    assert [x.label for x in found] == [
        "dense/product/7",
        "dense/product/3",
        "balanced/product/7",
        "balanced/product/3",
        "dense/magnitude/7",
        "dense/magnitude/3",
        "balanced/magnitude/7",
        "balanced/magnitude/3",
    ]
    assert {x.also for x in found if x.strategy == "balanced"} == {("percentile_50",)}
    assert len({x.job.key for x in found}) == 8


def test_all_seeds_are_one_member_where_nothing_is_trained(members_of):
    found = members_of(seeds=[7, 3], fine_tune={"max_epochs": 0})
    assert [(x.strategy, x.also, x.seed) for x in found] == [
        ("dense", (), 0),
        ("balanced", ("percentile_50",), 0),
    ]


def test_where_nothing_is_trained_its_settings_leave_the_key(members_of):
    one, other = (
        members_of(fine_tune={"max_epochs": 0, "learning_rate": rate}) for rate in (0.1, 0.2)
    )
    off = members_of(fine_tune={"max_epochs": 0, "batch_norm_images": 0})
    assert [x.job.key for x in one] == [x.job.key for x in other]
    assert {x.job.key for x in one}.isdisjoint(x.job.key for x in off)


def test_where_nothing_is_trained_no_augmentation_is_asked_for(members_of):
    assert {x.job.augmentation for x in members_of(fine_tune={"max_epochs": 0})} == {"none"}
    assert {x.job.augmentation for x in members_of()} == {"crop"}


def test_magnitude_does_not_depend_on_the_scores(members_of):
    found = members_of(criteria=["magnitude", "gradient"])
    scores = {x.criterion: x.job.scores for x in found}
    assert scores == {"magnitude": None, "gradient": SCORES.artifact}


@pytest.mark.parametrize(
    "irrelevant",
    [
        {"name": "other"},
        {"engine": {"workers": 1}},
        {"register": {"enabled": False}},
        {"store": "/elsewhere"},
        {"strategies": ["balanced"]},
        {"model": {"architecture": "resnet18", "train": {"epochs": 1}}},
    ],
    ids=lambda sections: next(iter(sections)),
)
def test_what_a_member_does_not_read_leaves_its_key(members_of, irrelevant):
    keys = [x.job.key for x in members_of(**irrelevant)]
    assert keys == [x.job.key for x in members_of()]


def test_threads_per_job_are_part_of_the_key(members_of):
    keys = {x.job.key for x in members_of(engine={"threads_per_job": 2, "device": "cpu"})}
    assert keys.isdisjoint(x.job.key for x in members_of(engine={"device": "cpu"}))


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


def test_references_are_the_global_baselines_at_the_largest_target(tiny_data, tiny_base, tiny_plan):
    seen = [
        ObservationRecord(baseline=name, target=target, num_pruned={"conv": round(1000 * target)})
        for name in ("MAG", "SNIP")
        for target in (0.7, 0.9)
    ]
    plan = tiny_plan.model_copy(update={"observations": tuple(seen)})
    config = config_of(fine_tune={"max_epochs": 5})
    found = references(config, tiny_data, tiny_base, SCORES, plan)
    assert [(x.label, x.job.num_pruned) for x in found] == [
        ("MAG at 0.9/MAG/0", {"conv": 900}),
        ("SNIP at 0.9/SNIP/0", {"conv": 900}),
    ]
    assert [x.job.scores for x in found] == [None, SCORES.artifact]
    assert {x.job.fine_tune.max_epochs for x in found} == {0}
