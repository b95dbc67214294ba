"""Accuracy of a network on images: counts, interval, bits, modes."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from mixmatch.errors import DataError, TrainingError
from mixmatch.evaluation import evaluate, evaluating, unpack_correct, wilson_interval

# Scores of two classes for five images; the network passes its images through.
SCORES = torch.tensor([[2.0, 0.0], [0.0, 2.0], [0.0, 2.0], [2.0, 0.0], [2.0, 0.0]])
LABELS = torch.tensor([0, 0, 1, 1, 0])


def scores_in_two_batches():
    yield SCORES[:3], LABELS[:3]
    yield SCORES[3:], LABELS[3:]


def test_counts_correct_images_and_keeps_their_order():
    accuracy = evaluate(nn.Identity(), scores_in_two_batches)
    assert (accuracy.num_correct, accuracy.num_images, accuracy.value) == (3, 5, 0.6)
    assert unpack_correct(accuracy).tolist() == [True, False, True, False, True]
    assert accuracy.correct_bits == "qA=="  # 10101000


def test_the_loss_is_the_mean_over_images_not_over_batches():
    right, wrong = math.log1p(math.exp(-2)), math.log1p(math.exp(2))
    loss = evaluate(nn.Identity(), scores_in_two_batches).loss
    assert loss == pytest.approx((3 * right + 2 * wrong) / 5, rel=1e-6)  # float32


def test_the_interval_is_that_of_the_count():
    accuracy = evaluate(nn.Identity(), scores_in_two_batches)
    assert (accuracy.low, accuracy.high) == wilson_interval(3, 5)


@pytest.mark.parametrize(
    ("num_correct", "num_images", "low", "high"),
    [
        (8, 10, 0.4902, 0.9433),  # Wilson (1927), as in statistics tables
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (9000, 10000, 0.8940, 0.9057),
    ],
)
def test_wilson_intervals_match_a_table(num_correct, num_images, low, high):
    assert wilson_interval(num_correct, num_images) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("num_correct", "num_images"), [(0, 0), (3, 2), (-1, 2)])
def test_refuses_an_interval_of_impossible_counts(num_correct, num_images):
    with pytest.raises(DataError, match=f"got {num_correct} of {num_images}"):
        wilson_interval(num_correct, num_images)


def test_runs_in_eval_mode_without_gradients_and_gives_each_module_its_mode_back():
    seen = []

    class Watched(nn.Identity):
        def forward(self, images):
            seen.append((self.training, torch.is_grad_enabled()))
            return images

    model = nn.Sequential(Watched(), nn.Dropout(0.9), nn.BatchNorm1d(2))
    model.train()
    model[2].eval()
    evaluate(model, scores_in_two_batches)
    assert seen == [(False, False), (False, False)]
    assert [module.training for module in model.modules()] == [True, True, True, False]


def test_what_a_module_caches_in_eval_mode_is_dropped_afterwards():
    class Caching(nn.Identity):
        cache = None

        def train(self, mode=True):
            self.cache = None if mode else self.cache
            return super().train(mode)

        def forward(self, images):
            self.cache = images
            return images

    model = nn.Sequential(Caching()).eval()
    with evaluating(model):
        model(SCORES)
    assert model[0].cache is None
    assert not model[0].training


def test_forward_passes_run_in_the_autocast_context():
    seen = []

    class Watched(nn.Linear):
        def forward(self, images):
            outputs = super().forward(images)
            seen.append(outputs.dtype)
            return outputs

    def autocast():
        return torch.autocast("cpu", dtype=torch.bfloat16)

    evaluate(Watched(2, 2), scores_in_two_batches, autocast=autocast)
    assert seen == [torch.bfloat16, torch.bfloat16]


def test_refuses_to_evaluate_on_nothing():
    with pytest.raises(DataError, match="must read at least one image, got none"):
        evaluate(nn.Identity(), lambda: [])


def test_a_network_that_gives_nan_is_an_error_and_not_an_accuracy():
    with pytest.raises(
        TrainingError, match=r"must give finite outputs to be evaluated, got .* nan"
    ):
        evaluate(nn.Identity(), lambda: [(SCORES * math.nan, LABELS)])


def test_bits_survive_any_number_of_images():
    labels = torch.from_numpy(np.random.default_rng(0).integers(2, size=1001))
    images = torch.tensor([[1.0, 0.0]]).expand(1001, 2)
    correct = unpack_correct(evaluate(nn.Identity(), lambda: [(images, labels)]))
    assert correct.tolist() == (labels == 0).tolist()
