"""What every criterion must do. A new entry in CRITERIA is tested with no new test."""

from typing import get_args

import pytest
import torch

from mixmatch.config.run import CriterionName
from mixmatch.criteria import CRITERIA, score
from mixmatch.errors import ConfigError, LayerError, ScoreError
from mixmatch.signals import Signal, Signals

WEIGHTS = {"a": torch.tensor([[1.0, -2.0], [0.5, 3.0]]), "b": torch.tensor([0.25, -4.0])}
SIGNALS = Signals(
    abs_gradient={"a": torch.tensor([[1.0, 2.0], [3.0, 4.0]]), "b": torch.tensor([5.0, 6.0])},
    gradient={"a": torch.tensor([[-1.0, 2.0], [-3.0, 4.0]]), "b": torch.tensor([5.0, -6.0])},
    hessian_gradient={"a": torch.tensor([[2.0, -1.0], [0.5, 4.0]]), "b": torch.tensor([1.0, -3.0])},
)


@pytest.fixture(params=CRITERIA.values(), ids=CRITERIA)
def criterion(request):
    return request.param


def test_the_registry_is_the_run_files():
    assert set(CRITERIA) == set(get_args(CriterionName))


def test_is_found_under_its_own_name_and_has_a_source(criterion):
    assert CRITERIA[criterion.name] is criterion
    assert criterion.source


def test_scores_have_the_shape_of_the_weight(criterion):
    weight, signal = torch.randn(2, 3, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    assert criterion.score(weight, signal).shape == weight.shape


def test_uses_the_signal_exactly_when_it_says_so(criterion):
    weight = torch.tensor([1.0, -2.0])
    without, with_ = (criterion.score(weight, s) for s in (torch.zeros(2), torch.ones(2)))
    assert torch.equal(without, with_) == (criterion.needs is Signal.NONE)


def test_does_not_care_about_the_sign_of_a_weight(criterion):
    weight, signal = torch.tensor([1.0, -2.0]), torch.tensor([3.0, 0.5])
    assert torch.equal(criterion.score(weight, signal), criterion.score(-weight, signal))


def test_reads_only_signals_that_are_measured(criterion):
    assert criterion.needs is not Signal.NOISE


def test_scores_every_layer_in_the_order_of_the_weights(criterion):
    scores = score(criterion.name, WEIGHTS, SIGNALS)
    assert [(name, x.shape) for name, x in scores.items()] == [("a", (2, 2)), ("b", (2,))]


def test_leaves_weights_and_signals_as_they_were(criterion):
    weight, signal = torch.tensor([1.0, -2.0]), torch.tensor([-3.0, 0.5])
    criterion.score(weight, signal)
    assert weight.tolist() == [1.0, -2.0]
    assert signal.tolist() == [-3.0, 0.5]


def test_scores_carry_no_gradient(criterion):
    weights = {"a": torch.nn.Parameter(WEIGHTS["a"].clone())}
    assert not score(criterion.name, weights, SIGNALS)["a"].requires_grad


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_names_the_layer_whose_scores_cannot_be_ranked(criterion, bad):
    signals = Signals(
        abs_gradient={**SIGNALS.abs_gradient, "b": torch.tensor([bad, 1.0])},
        gradient={**SIGNALS.gradient, "b": torch.tensor([bad, 1.0])},
        hessian_gradient={},
    )
    weights = {**WEIGHTS, "b": torch.tensor([bad, 1.0])}
    message = rf"{criterion.name} gave 1 NaN or infinite scores in layer 'b'"
    with pytest.raises(ScoreError, match=message):
        score(criterion.name, weights, signals)


def test_asks_for_the_signal_it_lacks(criterion):
    if criterion.needs is Signal.NONE:
        assert score(criterion.name, WEIGHTS, None).keys() == WEIGHTS.keys()
        return
    with pytest.raises(ConfigError, match=rf"{criterion.name} needs the signal {criterion.needs}"):
        score(criterion.name, WEIGHTS, None)


def test_names_a_layer_whose_signal_is_missing(criterion):
    weights = {**WEIGHTS, "c": torch.ones(3)}
    if criterion.needs is Signal.NONE:
        assert "c" in score(criterion.name, weights, SIGNALS)
        return
    with pytest.raises(LayerError, match=r"of shape \(3,\) for layer 'c', got none"):
        score(criterion.name, weights, SIGNALS)
