import pytest

from mixmatch.config import RunConfig
from mixmatch.records import RivalPlan, RivalsRecord
from tasks.study.expected import expected_family, expected_rivals
from tasks.study.facts import StudyPlan

RIVALS = RivalsRecord(
    plans=(
        RivalPlan(rival="MAG", sparsity=0.6, seed=None, num_pruned={"fc": 600}),
        RivalPlan(rival="MAG", sparsity=0.60001, seed=None, num_pruned={"fc": 600}),
        RivalPlan(rival="random", sparsity=0.6, seed=4, num_pruned={"fc": 600}),
        RivalPlan(rival="random", sparsity=0.6, seed=5, num_pruned={"fc": 600}),
    )
)


@pytest.fixture
def asked(study_plan):
    same = study_plan.strategies[0].model_copy(update={"name": "percentile_50"})
    plan = study_plan.model_copy(update={"strategies": (*study_plan.strategies, same)})
    return StudyPlan(plan=plan, rivals=RIVALS)


def config(**changes):
    values = {"data": {"name": "digits"}, "model": {"architecture": "resnet18"}, "seeds": (4, 5)}
    return RunConfig.model_validate(values | changes)


def test_equal_strategies_are_one(asked):
    assert expected_family(config(criteria=("magnitude", "product")), asked) == {
        f"{strategy}/{criterion}/{seed}"
        for strategy in ("balanced", "aggressive")
        for criterion in ("magnitude", "product")
        for seed in (4, 5)
    }


def test_a_random_mask_has_its_own_seed_and_equal_masks_are_one(asked):
    assert expected_rivals(config(compare=("dense", "MAG", "random")), asked) == {
        "dense/4",
        "dense/5",
        "MAG@0.6/4",
        "MAG@0.6/5",
        "random@0.6/4",
        "random@0.6/5",
    }


def test_without_fine_tuning_seeds_are_one_but_for_random_masks(asked):
    instant = config(compare=("dense", "MAG", "random"), fine_tune={"max_epochs": 0})
    assert expected_family(instant, asked) == {"balanced/magnitude/0", "aggressive/magnitude/0"}
    assert expected_rivals(instant, asked) == {
        "dense/0",
        "MAG@0.6/0",
        "random@0.6/4",
        "random@0.6/5",
    }
