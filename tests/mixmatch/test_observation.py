import pytest
import torch

from mixmatch.observation import observe, ranges_from
from mixmatch.roles import LayerRole, PrunableLayer
from mixmatch.signals import Signals

# Ten weights of sizes 1 to 10; "a" holds the small ones.
WEIGHTS = {"a": torch.tensor([1.0, 2, 3, 4, 6]), "b": torch.tensor([5.0, 7, 8, 9, 10])}
# SNIP ranks by |w g|: here it turns the order round.
SIGNALS = Signals(
    abs_gradient={k: 1 / v**2 for k, v in WEIGHTS.items()},
    gradient={k: 1 / v**2 for k, v in WEIGHTS.items()},
    hessian_gradient={},
)
LAYERS = tuple(
    PrunableLayer(name, LayerRole.OTHER, index, float(index), (5,), 5)
    for index, name in enumerate("ab")
)


def test_every_ranking_is_cut_at_every_target():
    seen = observe(WEIGHTS, SIGNALS, baselines=("MAG", "SNIP"), targets=(0.5, 0.8))
    assert [(x.baseline, x.target, dict(x.num_pruned)) for x in seen] == [
        ("MAG", 0.5, {"a": 4, "b": 1}),
        ("MAG", 0.8, {"a": 5, "b": 3}),
        ("SNIP", 0.5, {"a": 1, "b": 4}),
        ("SNIP", 0.8, {"a": 3, "b": 5}),
    ]


def test_the_range_of_a_layer_spans_what_was_observed():
    seen = observe(WEIGHTS, SIGNALS, baselines=("MAG", "SNIP"), targets=(0.5, 0.8))
    ranges = ranges_from(LAYERS, seen)
    assert (ranges["a"].low, ranges["a"].high) == (0.2, 1.0)
    assert (ranges["b"].low, ranges["b"].high) == (0.2, 1.0)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_random_ranking_depends_on_the_seed_alone(seed):
    first, second = (
        observe(WEIGHTS, SIGNALS, baselines=("random",), targets=(0.5,), seed=seed)
        for _ in range(2)
    )
    assert first == second
    assert sum(first[0].num_pruned.values()) == 5
