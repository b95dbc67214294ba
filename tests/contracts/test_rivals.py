"""What every rival must do. A new entry in RIVALS is tested with no new test."""

from itertools import pairwise
from typing import get_args

import pytest
import torch

from mixmatch.baselines import adaptive_magnitude
from mixmatch.config.run import RivalName
from mixmatch.errors import ConfigError, SparsityError
from mixmatch.masks import keep_masks
from mixmatch.rivals import RIVALS, Ranking, rival_num_pruned, rival_scores
from mixmatch.signals import Signal, Signals

SPARSITIES = (0.0, 0.1, 0.35, 0.5, 0.77, 0.9, 1.0)
PRUNING = [name for name, rival in RIVALS.items() if rival.ranking is not Ranking.NONE]
READING = [x for x in RIVALS if RIVALS[x].needs not in {Signal.NONE, Signal.NOISE}]
GLOBAL = [name for name, rival in RIVALS.items() if rival.ranking is Ranking.GLOBAL]
SIZES = {"conv": (3, 2, 3, 3), "middle": (7, 5), "fc": (11,)}


def drawn(seed, *, tied=False):
    generator = torch.Generator().manual_seed(seed)
    tensors = {name: torch.randn(shape, generator=generator) for name, shape in SIZES.items()}
    # Halves and wholes of one small set: most scores tie, within layers and between them.
    return {name: (x.sign() * x.abs().round() / 2 if tied else x) for name, x in tensors.items()}


def signals_of(weights):
    first, second = drawn(1), drawn(2)
    return Signals(
        abs_gradient={name: first[name].abs() for name in weights},
        gradient={name: first[name] for name in weights},
        hessian_gradient={name: second[name] for name in weights},
    )


@pytest.fixture(params=[False, True], ids=["distinct", "tied"])
def weights(request):
    return drawn(0, tied=request.param)


def lowest(scores, num_pruned):
    """Rank every (score, layer, flat index), and return what goes of each layer."""
    ranked = sorted(
        (value, layer, index)
        for layer, name in enumerate(scores)
        for index, value in enumerate(scores[name].flatten().tolist())
    )
    names = list(scores)
    gone = {name: [] for name in names}
    for _, layer, index in ranked[:num_pruned]:
        gone[names[layer]].append(index)
    return {name: sorted(indices) for name, indices in gone.items()}


def pruned(mask):
    return (~mask).flatten().nonzero().flatten().tolist()


def test_the_registry_is_the_run_files_and_cannot_be_changed():
    assert set(RIVALS) == set(get_args(RivalName))
    with pytest.raises(TypeError, match="does not support item assignment"):
        RIVALS["mine"] = RIVALS["MAG"]


@pytest.mark.parametrize("name", RIVALS)
def test_is_found_under_its_own_name_and_has_a_source(name):
    assert RIVALS[name].name == name
    assert RIVALS[name].source


@pytest.mark.parametrize("name", RIVALS)
def test_scores_every_layer_in_the_order_and_shape_of_the_weights(name, weights):
    scores = rival_scores(name, weights, signals_of(weights), seed=0)
    assert [(x, tuple(y.shape)) for x, y in scores.items()] == list(SIZES.items())


@pytest.mark.parametrize("name", RIVALS)
def test_says_truly_whether_it_reads_signals(name, weights):
    if name not in READING:
        without = rival_scores(name, weights, None, seed=0)
        read = rival_scores(name, weights, signals_of(weights), seed=0)
        assert all(torch.equal(without[layer], read[layer]) for layer in weights)
        return
    with pytest.raises(ConfigError, match=rf"{name} needs the signal {RIVALS[name].needs}"):
        rival_scores(name, weights, None, seed=0)


@pytest.mark.parametrize("name", READING)
def test_says_truly_whether_it_needs_the_hessian(name, weights):
    measured = signals_of(weights)
    plain = Signals(measured.abs_gradient, measured.gradient, {})
    if not RIVALS[name].needs_hessian:
        assert rival_scores(name, weights, plain, seed=0).keys() == weights.keys()
        return
    with pytest.raises(ConfigError, match="which was not measured"):
        rival_scores(name, weights, plain, seed=0)


@pytest.mark.parametrize("name", PRUNING)
def test_reads_the_seed_exactly_when_it_is_made_of_noise(name, weights):
    measured = signals_of(weights)
    first, second = (rival_scores(name, weights, measured, seed=seed) for seed in (0, 1))
    same = torch.equal(first["conv"], second["conv"])
    assert same == (RIVALS[name].needs is not Signal.NOISE)


@pytest.mark.parametrize("name", GLOBAL)
def test_removes_exactly_the_lowest_of_the_global_ranking(name, weights):
    measured = signals_of(weights)
    scores = rival_scores(name, weights, measured, seed=5)
    ranked = scores
    if name == "LAMP":  # what its masks are cut from orders within a layer only
        ranked = {layer: adaptive_magnitude(weight, weight) for layer, weight in weights.items()}
    counts = rival_num_pruned(name, weights, measured, SPARSITIES, seed=5)
    for sparsity in SPARSITIES[:-1]:
        gone = lowest(ranked, round(sparsity * 100))
        assert counts[sparsity] == {layer: len(indices) for layer, indices in gone.items()}
        masks = keep_masks(scores, counts[sparsity])
        for layer, indices in gone.items():
            if len(indices) < scores[layer].numel():
                assert pruned(masks[layer]) == indices


@pytest.mark.parametrize("name", PRUNING)
def test_counts_are_exact_and_masks_keep_a_weight_per_layer(name, weights):
    measured = signals_of(weights)
    scores = rival_scores(name, weights, measured, seed=5)
    counts = rival_num_pruned(name, weights, measured, SPARSITIES, seed=5)
    assert list(counts) == list(SPARSITIES)
    for sparsity, by_layer in counts.items():
        if RIVALS[name].ranking is Ranking.GLOBAL:
            assert sum(by_layer.values()) == round(sparsity * 100)
        for layer, mask in keep_masks(scores, by_layer).items():
            assert int((~mask).sum()) == min(by_layer[layer], mask.numel() - 1)


@pytest.mark.parametrize("name", PRUNING)
def test_masks_of_growing_sparsity_are_nested(name, weights):
    measured = signals_of(weights)
    scores = rival_scores(name, weights, measured, seed=5)
    counts = rival_num_pruned(name, weights, measured, SPARSITIES, seed=5)
    masks = [keep_masks(scores, counts[sparsity]) for sparsity in SPARSITIES]
    for denser, sparser in pairwise(masks):
        assert all(bool((denser[layer] | ~sparser[layer]).all()) for layer in weights)


@pytest.mark.parametrize("name", PRUNING)
def test_refuses_a_percent(name, weights):
    with pytest.raises(SparsityError, match=r"must be a fraction in \[0.0, 1.0\], got 70"):
        rival_num_pruned(name, weights, signals_of(weights), [70], seed=0)
