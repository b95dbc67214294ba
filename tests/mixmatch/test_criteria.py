import pytest
import torch

from mixmatch.criteria import CRITERIA, score
from mixmatch.errors import ConfigError, LayerError
from mixmatch.signals import Signals

WEIGHTS = {"fc": torch.tensor([1.0, -2.0, 0.5])}
SIGNALS = Signals(
    abs_gradient={"fc": torch.tensor([3.0, 0.25, 2.0])},
    gradient={"fc": torch.tensor([-1.0, 0.0, 2.0])},
    hessian_gradient={},
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("magnitude", [1.0, 2.0, 0.5]),
        ("gradient", [3.0, 0.25, 2.0]),
        ("product", [3.0, 0.5, 1.0]),
    ],
)
def test_scores_are_those_of_the_formula(name, expected):
    assert score(name, WEIGHTS, SIGNALS)["fc"].tolist() == expected


def test_the_registry_holds_the_three_criteria_and_cannot_be_changed():
    assert list(CRITERIA) == ["magnitude", "gradient", "product"]
    with pytest.raises(TypeError, match="does not support item assignment"):
        CRITERIA["mine"] = CRITERIA["magnitude"]


def test_refuses_an_unknown_criterion_and_lists_the_known_ones():
    message = r"criterion must be one of \['gradient', 'magnitude', 'product'\], got 'size'"
    with pytest.raises(ConfigError, match=message):
        score("size", WEIGHTS, None)


def test_refuses_a_signal_of_another_shape():
    signals = Signals({"fc": torch.ones(2)}, {}, {})
    message = r"gradient needs the signal abs_gradient of shape \(3,\) for layer 'fc', got \(2,\)"
    with pytest.raises(LayerError, match=message):
        score("gradient", WEIGHTS, signals)


def test_magnitude_does_not_hand_out_the_weights_themselves():
    weights = {"fc": torch.tensor([1.0, 2.0])}
    score("magnitude", weights, None)["fc"].zero_()
    assert weights["fc"].tolist() == [1.0, 2.0]
