import pytest
import torch

from mixmatch.baselines import BASELINES, baseline_scores
from mixmatch.errors import ConfigError
from mixmatch.signals import Signals

WEIGHTS = {"fc": torch.tensor([1.0, -2.0, 0.5])}
SIGNALS = Signals(
    abs_gradient={"fc": torch.tensor([3.0, 3.0, 3.0])},
    gradient={"fc": torch.tensor([-1.0, 0.0, 2.0])},
    hessian_gradient={"fc": torch.tensor([-3.0, -0.5, 4.0])},
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("MAG", [1.0, 2.0, 0.5]),
        ("SNIP", [1.0, 0.0, 1.0]),
        ("GraSP", [-3.0, 1.0, 2.0]),
    ],
)
def test_scores_are_those_of_the_formula(name, expected):
    assert baseline_scores(name, WEIGHTS, SIGNALS, seed=0)["fc"].tolist() == expected


def test_snip_reads_the_signed_mean_so_gradients_that_cancel_score_nothing():
    assert baseline_scores("SNIP", WEIGHTS, SIGNALS, seed=0)["fc"][1] == 0.0


def test_the_registry_holds_the_five_and_cannot_be_changed():
    assert list(BASELINES) == ["MAG", "SNIP", "GraSP", "LAMP", "random"]
    with pytest.raises(TypeError, match="does not support item assignment"):
        BASELINES["mine"] = BASELINES["MAG"]


def test_refuses_an_unknown_baseline_and_lists_the_known_ones():
    message = r"baseline must be one of \['GraSP', 'LAMP', 'MAG', 'SNIP', 'random'\], got 'PROD'"
    with pytest.raises(ConfigError, match=message):
        baseline_scores("PROD", WEIGHTS, SIGNALS, seed=0)


def test_random_differs_between_layers_of_one_shape():
    weights = {"a": torch.zeros(50), "b": torch.zeros(50)}
    scores = baseline_scores("random", weights, None, seed=0)
    assert not torch.equal(scores["a"], scores["b"])


def test_random_lies_in_the_unit_interval_and_fills_it():
    noise = baseline_scores("random", {"a": torch.zeros(10_000)}, None, seed=0)["a"]
    assert 0.0 <= noise.min() < 0.01
    assert 0.99 < noise.max() < 1.0
    assert abs(noise.mean() - 0.5) < 0.02


def test_random_leaves_the_global_generator_alone():
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    baseline_scores("random", WEIGHTS, None, seed=0)
    assert torch.equal(torch.rand(1), expected)


def test_random_is_pinned_so_that_plans_outlive_an_upgrade():
    noise = baseline_scores("random", {"layer1.0.conv1": torch.zeros(3)}, None, seed=0)
    assert noise["layer1.0.conv1"].tolist() == pytest.approx(
        [0.0049014, 0.3713449, 0.0590051], abs=1e-6
    )
