"""Chains: each strategy of constant alpha starts from the one that its mask contains."""

from mixmatch.chains import predecessors
from mixmatch.ranges import SparsityRange
from mixmatch.records import StrategyRecord
from mixmatch.roles import LayerRole, PrunableLayer
from mixmatch.strategies import METHOD_TEN, plan


def strategy(name, *num_pruned):
    counts = {f"layer{index}": count for index, count in enumerate(num_pruned)}
    return StrategyRecord(
        name=name,
        digest=f"{num_pruned}",
        sparsity=sum(num_pruned) / 100,
        layers={layer: count / 50 for layer, count in counts.items()},
        num_pruned=counts,
    )


def test_each_starts_from_the_one_with_the_next_smaller_alpha():
    given = [
        strategy("aggressive", 40, 30),
        strategy("conservative", 5, 10),
        strategy("percentile_70", 20, 20),
    ]
    assert predecessors(given) == {
        "conservative": None,
        "percentile_70": "conservative",
        "aggressive": "percentile_70",
    }


def test_a_target_sparsity_takes_its_place_among_them():
    given = [
        strategy("conservative", 5, 10),
        strategy("aggressive", 40, 30),
        strategy("target_0.50", 30, 20),
    ]
    found = predecessors(given)
    assert (found["target_0.50"], found["aggressive"]) == ("conservative", "target_0.50")


def test_equal_configurations_are_one_member_under_the_first_name():
    given = [
        strategy("conservative", 5, 10),
        strategy("balanced", 20, 20),
        strategy("percentile_50", 20, 20),
        strategy("aggressive", 40, 30),
    ]
    assert predecessors(given) == {
        "conservative": None,
        "balanced": "conservative",
        "aggressive": "balanced",
    }


def test_a_configuration_is_in_the_chain_under_whichever_of_its_names():
    # Where the ranges leave no choice, a strategy by role equals one of constant alpha.
    given = [
        strategy("head_heavy", 5, 10),
        strategy("conservative", 5, 10),
        strategy("aggressive", 40, 30),
    ]
    assert predecessors(given) == {"head_heavy": None, "aggressive": "head_heavy"}


def test_strategies_outside_the_chain_start_from_the_base():
    given = [
        strategy("classifier_heavy", 5, 30),
        strategy("conservative", 5, 10),
        strategy("aggressive", 40, 30),
    ]
    assert predecessors(given) == {
        "conservative": None,
        "aggressive": "conservative",
        "classifier_heavy": None,
    }


def test_facts_decide_what_is_nested_and_not_names():
    given = [
        strategy("conservative", 5, 10),
        strategy("balanced", 30, 5),  # less than conservative in the second layer
        strategy("aggressive", 40, 30),
    ]
    assert predecessors(given) == {
        "conservative": None,
        "balanced": None,
        "aggressive": "balanced",
    }


def test_a_strategy_that_the_sparsest_before_does_not_fit_starts_from_the_next():
    given = [
        strategy("conservative", 5, 5),
        strategy("balanced", 50, 0),
        strategy("aggressive", 40, 40),
    ]
    assert predecessors(given)["aggressive"] == "conservative"


def test_each_name_comes_after_its_predecessor():
    layers = [
        PrunableLayer(
            name=f"layer{index}",
            role=LayerRole.CONVOLUTION,
            index=index,
            depth=index / 2,
            shape=(10, 10),
            num_weights=100,
        )
        for index in range(3)
    ]
    ranges = {layer.name: SparsityRange(0.1, 0.9 - 0.2 * layer.depth) for layer in layers}
    found = predecessors([plan(name, layers, ranges) for name in METHOD_TEN])
    assert list(found.items()) == [
        ("conservative", None),
        ("percentile_30", "conservative"),
        ("balanced", "percentile_30"),
        ("percentile_70", "balanced"),
        ("percentile_90", "percentile_70"),
        ("aggressive", "percentile_90"),
        ("parameter_proportional", None),
        ("classifier_heavy", None),
        ("feature_heavy", None),
    ]


def test_no_strategies_have_no_predecessors():
    assert predecessors([]) == {}
