"""What every baseline must do. A new entry in BASELINES is tested with no new test."""

from typing import get_args

import pytest
import torch

from mixmatch.baselines import BASELINES, baseline_scores
from mixmatch.config.ranges import Baseline
from mixmatch.errors import ConfigError, ScoreError
from mixmatch.signals import Signal, Signals

UNMEASURED = (Signal.NONE, Signal.NOISE)
WEIGHTS = {"a": torch.tensor([[1.0, -2.0], [0.5, 3.0]]), "b": torch.tensor([0.25, -4.0])}
SIGNALS = Signals(
    abs_gradient={"a": torch.tensor([[1.0, 2.0], [3.0, 4.0]]), "b": torch.tensor([5.0, 6.0])},
    gradient={"a": torch.tensor([[-1.0, 2.0], [-3.0, 4.0]]), "b": torch.tensor([5.0, -6.0])},
    hessian_gradient={"a": torch.tensor([[2.0, -1.0], [0.5, 4.0]]), "b": torch.tensor([1.0, -3.0])},
)


@pytest.fixture(params=BASELINES.values(), ids=BASELINES)
def baseline(request):
    return request.param


def test_the_registry_is_the_run_files():
    assert set(BASELINES) == set(get_args(Baseline))


def test_is_found_under_its_own_name_and_has_a_source(baseline):
    assert BASELINES[baseline.name] is baseline
    assert baseline.source


def test_scores_have_the_shape_of_the_weight(baseline):
    weight, signal = torch.randn(2, 3, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    assert baseline.score(weight, signal).shape == weight.shape


def test_uses_the_signal_exactly_when_it_says_so(baseline):
    weight = torch.tensor([1.0, -2.0])
    without, with_ = (baseline.score(weight, s) for s in (torch.zeros(2), torch.ones(2)))
    assert torch.equal(without, with_) == (baseline.needs is Signal.NONE)


def test_scores_every_layer_in_the_order_of_the_weights(baseline):
    scores = baseline_scores(baseline.name, WEIGHTS, SIGNALS, seed=0)
    assert [(name, x.shape) for name, x in scores.items()] == [("a", (2, 2)), ("b", (2,))]


def test_reads_the_seed_exactly_when_it_is_made_of_noise(baseline):
    first, second = (baseline_scores(baseline.name, WEIGHTS, SIGNALS, seed=s) for s in (0, 1))
    assert torch.equal(first["a"], second["a"]) == (baseline.needs is not Signal.NOISE)


def test_gives_the_same_scores_again(baseline):
    first, second = (baseline_scores(baseline.name, WEIGHTS, SIGNALS, seed=7) for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in WEIGHTS)


def test_scores_a_layer_alike_whatever_others_there_are(baseline):
    alone = baseline_scores(baseline.name, {"b": WEIGHTS["b"]}, SIGNALS, seed=3)
    together = baseline_scores(baseline.name, WEIGHTS, SIGNALS, seed=3)
    assert torch.equal(alone["b"], together["b"])


def test_asks_for_the_signal_it_lacks(baseline):
    if baseline.needs in UNMEASURED:
        assert baseline_scores(baseline.name, WEIGHTS, None, seed=0).keys() == WEIGHTS.keys()
        return
    with pytest.raises(ConfigError, match=rf"{baseline.name} needs the signal {baseline.needs}"):
        baseline_scores(baseline.name, WEIGHTS, None, seed=0)


def test_names_the_layer_whose_scores_cannot_be_ranked(baseline):
    weights = {**WEIGHTS, "b": torch.tensor([float("nan"), 1.0])}
    if baseline.needs is Signal.NOISE:
        assert torch.isfinite(baseline_scores(baseline.name, weights, SIGNALS, seed=0)["b"]).all()
        return
    # LAMP sums over a layer, so one NaN spoils all of its scores.
    spoiled = 2 if baseline.name == "LAMP" else 1
    message = rf"{baseline.name} gave {spoiled} NaN or infinite scores in layer 'b'"
    with pytest.raises(ScoreError, match=message):
        baseline_scores(baseline.name, weights, SIGNALS, seed=0)
