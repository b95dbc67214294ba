"""Each rival against an independent small computation: finite differences and plain loops."""

import random

import numpy as np
import pytest
import torch
from torch import nn

from mixmatch.baselines import adaptive_magnitude
from mixmatch.errors import ConfigError
from mixmatch.layers import prunable_layers, weights_of
from mixmatch.masks import keep_masks
from mixmatch.rivals import RIVALS, rival_num_pruned, rival_scores
from mixmatch.signals import measure_signals


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


# One network and two batches, in the product's terms and in plain numpy.
IMAGES, LABELS = np.random.default_rng(0).normal(size=(2, 3, 4)), ((0, 2, 1), (1, 1, 0))
SIZES = ((3, 4), (3, 3))
NUM_WEIGHTS = 21


@pytest.fixture
def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 3)).eval()


@pytest.fixture
def weights(network):
    return weights_of(network, prunable_layers(network))


@pytest.fixture
def signals(network):
    batches = [
        (torch.tensor(images, dtype=torch.float32), torch.tensor(labels))
        for images, labels in zip(IMAGES, LABELS, strict=True)
    ]
    return measure_signals(network, prunable_layers(network), lambda: iter(batches))


@pytest.fixture
def plain_losses(network):
    """The loss of each batch as a function of the flat weights, float64, without autograd."""
    biases = [network[n].bias.detach().double().numpy() for n in (0, 2)]

    def losses(flat):
        first, second = flat[:12].reshape(3, 4), flat[12:].reshape(3, 3)
        found = []
        for images, labels in zip(IMAGES.astype(np.float32), LABELS, strict=True):
            logits = np.tanh(images @ first.T + biases[0]) @ second.T + biases[1]
            log_sums = np.log(np.exp(logits).sum(axis=1))
            found.append((log_sums - logits[range(3), labels]).mean())
        return np.array(found)

    return losses


@pytest.fixture
def flat(weights):
    return np.concatenate([x.detach().double().flatten().numpy() for x in weights.values()])


def gradients(losses, at, step=1e-5):
    """d loss / d weight by central differences, shape (batches, weights)."""
    columns = [
        (losses(at + step * unit) - losses(at - step * unit)) / (2 * step)
        for unit in np.eye(at.size)
    ]
    return np.stack(columns, axis=1)


def split(values):
    """Lay flat values out like the scores of the two layers."""
    parts = np.split(np.asarray(values), [12])
    return {
        name: torch.tensor(x).view(size) for name, x, size in zip("02", parts, SIZES, strict=True)
    }


def assert_same_scores(scores, expected):
    assert list(scores) == list(expected)
    for name in scores:
        torch.testing.assert_close(scores[name].double(), expected[name], rtol=2e-4, atol=1e-6)


def test_snip_is_weight_times_a_gradient_of_finite_differences(
    weights, signals, plain_losses, flat
):
    expected = split(np.abs(flat * gradients(plain_losses, flat).mean(axis=0)))
    assert_same_scores(rival_scores("SNIP", weights, signals, seed=0), expected)


def test_grasp_is_weight_times_a_hessian_product_of_finite_differences(
    weights, signals, plain_losses, flat
):
    direction, step = gradients(plain_losses, flat).mean(axis=0), 1e-4
    ahead, behind = (
        gradients(plain_losses, flat + sign * step * direction).sum(axis=0) for sign in (1, -1)
    )
    expected = split(flat * (ahead - behind) / (2 * step))
    scores = rival_scores("GraSP", weights, signals, seed=0)
    assert_same_scores(scores, expected)
    assert min(float(x.min()) for x in scores.values()) < 0  # the sign is kept


def test_prod_is_weight_times_the_mean_absolute_gradient_of_batches(
    weights, signals, plain_losses, flat
):
    expected = split(np.abs(flat) * np.abs(gradients(plain_losses, flat)).mean(axis=0))
    assert_same_scores(rival_scores("PROD", weights, signals, seed=0), expected)


@pytest.mark.parametrize("name", ["SNIP", "GraSP", "PROD"])
def test_the_ranking_of_finite_differences_leaves_the_same_weights(
    name, weights, signals, plain_losses, flat
):
    each = gradients(plain_losses, flat)
    direction, step = each.mean(axis=0), 1e-4
    ahead, behind = (
        gradients(plain_losses, flat + sign * step * direction).sum(axis=0) for sign in (1, -1)
    )
    scores = {
        "SNIP": np.abs(flat * direction),
        "GraSP": flat * (ahead - behind) / (2 * step),
        "PROD": np.abs(flat) * np.abs(each).mean(axis=0),
    }[name]
    kept = np.ones(NUM_WEIGHTS, dtype=bool)
    kept[np.argsort(scores, kind="stable")[:10]] = False  # round(0.5 * 21), half to even

    counts = rival_num_pruned(name, weights, signals, [0.5], seed=0)[0.5]
    masks = keep_masks(rival_scores(name, weights, signals, seed=0), counts)

    assert {layer: x.tolist() for layer, x in masks.items()} == {
        layer: x.tolist() for layer, x in split(kept).items()
    }


def test_mag_and_uniform_score_by_size(weights):
    for name in ("MAG", "uniform"):
        scores = rival_scores(name, weights, None, seed=0)
        for layer, weight in weights.items():
            assert scores[layer].tolist() == [[abs(x) for x in row] for row in weight.tolist()]


def test_uniform_takes_the_same_share_of_every_layer(weights):
    counts = rival_num_pruned("uniform", weights, None, [0.25, 0.5, 1.0], seed=0)
    assert counts == {
        0.25: {"0": 3, "2": 2},  # round(2.25)
        0.5: {"0": 6, "2": 4},  # round(4.5), half to even
        1.0: {"0": 11, "2": 8},  # one weight of each layer stays
    }


def test_random_takes_from_large_layers_in_proportion_and_differs_by_seed():
    weights = {"large": torch.ones(9000), "small": torch.ones(1000)}
    first, second = (
        rival_num_pruned("random", weights, None, [0.5], seed=seed)[0.5] for seed in (0, 1)
    )
    assert sum(first.values()) == sum(second.values()) == 5000
    assert first != second
    assert abs(first["small"] - 500) < 80  # five standard deviations


def naive_lamp(weight):
    squares = [float(x) ** 2 for x in weight.flatten()]
    return [x / sum(y for y in squares if y >= x) if x else 0.0 for x in squares]


def test_lamp_is_the_square_over_all_squares_at_least_as_large():
    generator = torch.Generator().manual_seed(0)
    for shape in ((40,), (5, 4, 3, 3)):
        weight = torch.randn(shape, generator=generator)
        scores = adaptive_magnitude(weight, weight)
        assert scores.shape == weight.shape
        assert scores.flatten().tolist() == pytest.approx(naive_lamp(weight), rel=1e-12)
        assert scores.flatten()[weight.abs().argmax()] == 1.0


def test_lamp_is_exact_with_ties():
    weight = torch.tensor([[1.0, -2.0, 1.0], [2.0, -1.0, 0.0]])
    expected = [[1 / 11, 1 / 2, 1 / 11], [1 / 2, 1 / 11, 0.0]]
    assert adaptive_magnitude(weight, weight).tolist() == expected
    assert naive_lamp(weight) == [*expected[0], *expected[1]]


def test_lamp_tells_neighbouring_floats_and_the_smallest_from_zero():
    weight = torch.tensor([1.0, np.nextafter(np.float32(1), np.float32(2)), 1e-45, 0.0])
    scores = adaptive_magnitude(weight, weight).tolist()
    assert scores[1] == 1.0
    assert scores[0] < 1.0
    assert scores[2] > scores[3] == 0.0


def test_lamp_of_a_layer_of_zeros_is_zero():
    assert adaptive_magnitude(torch.zeros(2, 2), torch.zeros(2, 2)).tolist() == [[0, 0], [0, 0]]


def test_lamp_orders_a_layer_as_magnitude_does():
    weight = torch.randn(5000, generator=torch.Generator().manual_seed(1)) * 1e-3
    order = adaptive_magnitude(weight, weight).argsort(stable=True)
    assert torch.equal(order, weight.abs().argsort(stable=True))


def test_lamp_spares_small_layers_that_magnitude_would_empty():
    weights = {"loud": torch.tensor([5.0, 6.0, 7.0, 8.0]), "quiet": torch.tensor([0.1, 0.2])}
    lamp, magnitude = (
        rival_num_pruned(x, weights, None, [0.5], seed=0)[0.5] for x in ("LAMP", "MAG")
    )
    # LAMP: 25/174, 36/149, 49/113, 1 beside 0.2, 1.
    assert lamp == {"loud": 2, "quiet": 1}
    assert magnitude == {"loud": 1, "quiet": 2}


def test_ties_between_layers_go_by_layer_and_then_by_flat_index():
    weights = {"a": torch.tensor([1.0, 1.0, 9.0]), "b": torch.tensor([1.0, 1.0, 1.0, 9.0])}
    counts = rival_num_pruned("MAG", weights, None, [2 / 7, 3 / 7], seed=0)
    assert list(counts.values()) == [{"a": 2, "b": 0}, {"a": 2, "b": 1}]
    masks = keep_masks(rival_scores("MAG", weights, None, seed=0), counts[3 / 7])
    assert masks["b"].tolist() == [False, True, True, True]


def test_dense_scores_all_alike_and_has_no_counts(weights):
    scores = rival_scores("dense", weights, None, seed=0)
    assert {float(x.min()) for x in scores.values()} == {float(x.max()) for x in scores.values()}
    with pytest.raises(ConfigError, match=r"rival must be one that prunes, of \[.*\], got 'dense'"):
        rival_num_pruned("dense", weights, None, [0.5], seed=0)


@pytest.mark.parametrize("of", [rival_scores, rival_num_pruned])
def test_refuses_an_unknown_rival_and_lists_the_known_ones(of, weights):
    arguments = ([0.5],) if of is rival_num_pruned else ()
    with pytest.raises(ConfigError, match=r"rival must be one of \['GraSP', .*\], got 'OBD'"):
        of("OBD", weights, None, *arguments, seed=0)


def test_says_which_rivals_need_the_hessian():
    assert [x for x in RIVALS if RIVALS[x].needs_hessian] == ["GraSP"]


def test_many_sparsities_agree_with_one_at_a_time():
    generator = random.Random(0)
    weights = {"a": torch.tensor([generator.choice([1.0, 2.0, 3.0]) for _ in range(50)])}
    weights["b"] = torch.randn(70, generator=torch.Generator().manual_seed(0))
    sparsities = [0.9, 0.2, 0.55]
    together = rival_num_pruned("LAMP", weights, None, sparsities, seed=0)
    for x in sparsities:
        assert rival_num_pruned("LAMP", weights, None, [x], seed=0)[x] == together[x]
