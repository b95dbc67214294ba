from dataclasses import replace

import pytest

from mixmatch.config import RunConfig
from mixmatch.records import (
    Artifact,
    ObservationRecord,
    RivalPlan,
    RivalsRecord,
    SensitivityRecord,
)
from tasks.members import (
    Prepared,
    continued,
    first_of,
    members,
    references,
    rivals,
    untrained,
)

SCORES = SensitivityRecord(
    artifact=Artifact(digest="5" * 64, size_bytes=3), num_images=50, seconds=1.0
)


def config_of(**sections):
    minimal = {"data": {"name": "digits"}, "model": {"architecture": "resnet18"}}
    return RunConfig.model_validate(minimal | sections)


@pytest.fixture
def prepared(tiny_data, tiny_base, tiny_plan):
    return Prepared(tiny_data, tiny_base, SCORES, tiny_plan)


@pytest.fixture
def members_of(prepared):
    return lambda **sections: members(config_of(**sections), prepared)


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


def test_references_are_the_global_baselines_at_the_largest_target(prepared):
    seen = [
        ObservationRecord(baseline=name, target=target, num_pruned={"conv": round(1000 * target)})
        for name in ("MAG", "SNIP")
        for target in (0.7, 0.9)
    ]
    plan = prepared.plan.model_copy(update={"observations": tuple(seen)})
    config = config_of(fine_tune={"max_epochs": 5})
    found = references(config, replace(prepared, plan=plan))
    assert [(x.label, x.job.num_pruned) for x in found] == [
        ("MAG at 0.9/MAG/0", {"conv": 900}),
        ("SNIP at 0.9/SNIP/0", {"conv": 900}),
    ]
    assert [x.job.scores for x in found] == [None, SCORES.artifact]
    assert {x.job.fine_tune.max_epochs for x in found} == {0}


@pytest.fixture
def chained(prepared):
    """Three nested strategies, the densest last."""
    named = {"aggressive": 900, "balanced": 500, "conservative": 100}
    first = prepared.plan.strategies[1]
    strategies = tuple(
        first.model_copy(
            update={
                "name": name,
                "digest": name,
                "sparsity": n / 1000,
                "num_pruned": {"conv": n, "fc": n},
            }
        )
        for name, n in named.items()
    )
    return replace(prepared, plan=prepared.plan.model_copy(update={"strategies": strategies}))


def test_in_a_chain_each_nested_strategy_starts_from_the_one_before(chained):
    family = members(config_of(fine_tune={"order": "chain"}, seeds=[0, 1]), chained)
    assert first_of(family) == {
        "aggressive/magnitude/0": "balanced/magnitude/0",
        "aggressive/magnitude/1": "balanced/magnitude/1",
        "balanced/magnitude/0": "conservative/magnitude/0",
        "balanced/magnitude/1": "conservative/magnitude/1",
    }


def test_the_head_of_a_chain_is_the_member_of_a_fan_out(chained):
    chain, fan = (
        {x.label: x.job.key for x in members(config_of(fine_tune={"order": order}), chained)}
        for order in ("chain", "fan_out")
    )
    shared = {label for label in chain if chain[label] == fan[label]}
    assert shared == {"conservative/magnitude/0"}


def test_an_untrained_family_has_no_chain(chained):
    instant = config_of(fine_tune={"order": "chain", "max_epochs": 0})
    assert first_of(members(instant, chained)) == {}


def test_rivals_come_by_rival_then_sparsity_then_seed(prepared):
    plans = tuple(
        RivalPlan(rival="MAG", sparsity=rho, seed=None, num_pruned={"conv": round(1000 * rho)})
        for rho in (0.5, 0.9)
    )
    drawn = tuple(
        RivalPlan(rival="random", sparsity=0.5, seed=seed, num_pruned={"conv": 500 + seed})
        for seed in (3, 1)
    )
    asked = replace(prepared, rivals=RivalsRecord(plans=(*plans, *drawn)))
    found = rivals(config_of(compare=["random", "dense", "MAG"], seeds=[3, 1]), asked)
    assert [(x.label, x.job.num_pruned) for x in found] == [
        ("random@0.5/3", {"conv": 503}),
        ("random@0.5/1", {"conv": 501}),
        ("dense/3", {}),
        ("dense/1", {}),
        ("MAG@0.5/3", {"conv": 500}),
        ("MAG@0.5/1", {"conv": 500}),
        ("MAG@0.9/3", {"conv": 900}),
        ("MAG@0.9/1", {"conv": 900}),
    ]


def test_untrained_rivals_are_one_for_all_seeds_but_random_keeps_its_own(prepared):
    plans = (
        RivalPlan(rival="MAG", sparsity=0.5, seed=None, num_pruned={"conv": 500}),
        RivalPlan(rival="random", sparsity=0.5, seed=3, num_pruned={"conv": 503}),
        RivalPlan(rival="random", sparsity=0.5, seed=1, num_pruned={"conv": 501}),
    )
    asked = replace(prepared, rivals=RivalsRecord(plans=plans))
    instant = config_of(compare=["MAG", "random"], seeds=[3, 1], fine_tune={"max_epochs": 0})
    labels = [x.label for x in rivals(instant, asked)]
    assert labels == ["MAG@0.5/0", "random@0.5/3", "random@0.5/1"]


def test_training_on_starts_from_the_base_first_and_then_from_the_round_before(prepared):
    config = config_of(fine_tune={"budget": {"epochs": 9}})
    begun = untrained(config, prepared)[1]
    once = continued(begun, config, prepared, epochs=2, seed=7)
    twice = continued(once, config, prepared, epochs=3, seed=7)
    assert (once.label, once.job.start, once.job.fine_tune.max_epochs) == (
        "balanced/magnitude/7",
        None,
        2,
    )
    assert (twice.job.start, twice.job.fine_tune.max_epochs) == (once.job.key, 3)
    assert twice.job.augmentation == "crop"


def test_a_budget_leaves_the_key_of_equal_work(prepared):
    config = config_of(fine_tune={"budget": {"epochs": 9}, "max_epochs": 2})
    begun = untrained(config, prepared)[1]
    plain = members(config_of(fine_tune={"max_epochs": 2}), prepared)[1]
    assert continued(begun, config, prepared, epochs=2, seed=0).job.key == plain.job.key
