"""What every strategy must do. A new entry in STRATEGIES is tested with no new test."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixmatch.ranges import SparsityRange
from mixmatch.roles import LayerRole, PrunableLayer
from mixmatch.strategies import METHOD_TEN, STRATEGIES, plan


@pytest.fixture(params=STRATEGIES.values(), ids=STRATEGIES)
def strategy(request):
    return request.param


@st.composite
def networks(draw):
    """Draw layers of any roles, sizes and paths, with a range for each."""
    roles = draw(st.lists(st.sampled_from(LayerRole), min_size=1, max_size=8))
    layers, ranges = [], {}
    for index, role in enumerate(roles):
        name = draw(st.sampled_from(["stages.{}.fc", "layer{}", "block.a.{}", "x.y"])).format(index)
        name, size = f"{name}.w{index}", draw(st.integers(1, 10**7))
        depth = index / max(1, len(roles) - 1)
        layers.append(PrunableLayer(name, role, index, depth, (size,), size))
        ends = draw(st.tuples(st.floats(0, 1), st.floats(0, 1)))
        ranges[name] = SparsityRange(min(ends), max(ends))
    return layers, ranges


LAYERS = [
    PrunableLayer(f"layer{i}", role, i, i / 9, (100 * i + 1,), 100 * i + 1)
    for i, role in enumerate(LayerRole)
]
RANGES = {layer.name: SparsityRange(0.25, 0.75) for layer in LAYERS}


@pytest.mark.parametrize("name", STRATEGIES)
@settings(max_examples=20, deadline=None)
@given(network=networks())
def test_every_sparsity_lies_in_its_range_and_every_layer_keeps_a_weight(name, network):
    layers, ranges = network
    record = plan(name, layers, ranges)
    assert list(record.layers) == list(record.num_pruned) == [layer.name for layer in layers]
    for layer in layers:
        assert ranges[layer.name].low <= record.layers[layer.name] <= ranges[layer.name].high
        assert 0 <= record.num_pruned[layer.name] < layer.num_weights


def test_the_same_plan_comes_out_every_time(strategy):
    assert plan(strategy.name, LAYERS, RANGES) == plan(strategy.name, LAYERS, RANGES)


def test_says_where_it_comes_from(strategy):
    assert STRATEGIES[strategy.name] is strategy
    assert strategy.source


def test_the_method_has_ten_strategies_in_its_order():
    assert METHOD_TEN == (
        "conservative",
        "aggressive",
        "balanced",
        "percentile_30",
        "percentile_50",
        "percentile_70",
        "percentile_90",
        "parameter_proportional",
        "classifier_heavy",
        "feature_heavy",
    )


@pytest.mark.parametrize("pair", [("balanced", "percentile_50"), ("fc_heavy", "head_heavy")])
def test_equal_configurations_share_one_digest(pair):
    first, second = (plan(name, LAYERS, RANGES) for name in pair)
    assert first.digest == second.digest


def test_all_other_strategies_differ():
    digests = {name: plan(name, LAYERS, RANGES).digest for name in STRATEGIES}
    assert len(set(digests.values())) == len(STRATEGIES) - 2
