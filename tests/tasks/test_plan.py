"""The plan of a network that was never trained: presets, roles and target sparsities."""

import pytest
import torch
from safetensors.torch import save_file

from mixmatch.config import RangeSettings
from mixmatch.errors import ConfigError
from mixmatch.models import build_model
from mixmatch.records import Artifact, ModelSpec
from tasks.jobs import PlanJob
from tasks.plan import compute
from tasks.site import Site
from tasks.workspace import Workspace

SPEC = ModelSpec(
    architecture="resnet18",
    arguments={"channels": [8, 8, 8, 8]},
    num_classes=3,
    image_shape=(16, 16, 3),
    mean=(0.5, 0.5, 0.5),
    std=(0.25, 0.25, 0.25),
    classes=("circle", "square", "star"),
)
NOWHERE = Artifact(digest="0" * 64, size_bytes=1)  # of scores that a plan must not read


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return Site.at(Workspace.open(tmp_path_factory.mktemp("plan") / "workspace"))


@pytest.fixture(scope="module")
def base(site):
    torch.manual_seed(0)
    store = site.open_store()
    with store.scratch() as folder:
        save_file(build_model(SPEC).state_dict(), folder / "file")
        return store.put(folder / "file")


@pytest.fixture(scope="module")
def scores(site, base):
    """Gradients that turn the order of the weights of ``fc`` round, and of no other."""
    from safetensors.torch import load_file

    store = site.open_store()
    weights = {
        name.removesuffix(".weight"): weight
        for name, weight in load_file(store.path(base)).items()
        if name.endswith(".weight") and weight.ndim > 1
    }
    gradients = {f"gradient/{name}": torch.ones_like(weight) for name, weight in weights.items()}
    gradients["gradient/fc"] = 1 / weights["fc"].square()
    with store.scratch() as folder:
        save_file(gradients, folder / "file")
        return store.put(folder / "file")


@pytest.fixture
def planned(site, base):
    def make(*, scores=NOWHERE, strategies=("aggressive",), **changes):
        ranges = RangeSettings(baselines=("MAG",), **changes.pop("ranges", {}))
        values = {"base": base, "spec": SPEC, "scores": scores, "ranges": ranges}
        job = PlanJob(**values, strategies=strategies, seed=0, versions={}, **changes)
        return compute(job, site)

    return make


def test_a_preset_replaces_observation_and_constraints(planned):
    record = planned(ranges={"preset": "resnet"})
    assert record.observations == ()
    assert {layer.observed for layer in record.layers} == {None}
    ranges = {layer.name: layer.range for layer in record.layers}
    assert ranges["layer4.1.conv2"] == (0.75, 0.95)  # 576 weights, which "small" does not reach
    assert ranges["fc"] == (0.0, 0.30)


def test_the_run_file_wins_over_a_preset(planned):
    ranges = {"preset": "resnet", "roles": {"stem": (0.1, 0.2)}, "layers": {"fc": (0.4, 0.5)}}
    record = planned(ranges=ranges)
    found = {layer.name: layer.range for layer in record.layers}
    assert (found["conv1"], found["fc"]) == ((0.1, 0.2), (0.4, 0.5))
    assert found["layer1.0.conv1"] == (0.30, 0.50)


def test_a_pattern_that_matches_nothing_is_refused_with_a_preset_too(planned):
    with pytest.raises(ConfigError, match=r"ranges.layers must hold .* got 'cf', which matches"):
        planned(ranges={"preset": "resnet", "layers": {"cf": (0.4, 0.5)}})


def test_without_a_preset_ranges_are_observed(planned, scores):
    ranges = {"targets": (0.5,), "constraints": {"small_below": 0}}
    record = planned(scores=scores, ranges=ranges)
    assert [(x.baseline, x.target) for x in record.observations] == [("MAG", 0.5)]
    assert all(layer.observed == layer.range for layer in record.layers)
    counts = record.observations[0].num_pruned
    assert sum(counts.values()) == round(0.5 * sum(x.num_weights for x in record.layers))


def test_roles_of_the_run_file_decide_what_a_strategy_does(planned):
    preset = {"preset": "resnet"}
    before = planned(ranges=preset, strategies=("fc_heavy",))
    after = planned(ranges=preset, strategies=("fc_heavy",), roles={"layer4.*": "classifier"})
    (layer,) = (x for x in after.layers if x.name == "layer4.1.conv2")
    assert layer.role == "classifier"
    assert before.strategies[0].layers["layer4.1.conv2"] == 0.75
    assert after.strategies[0].layers["layer4.1.conv2"] == 0.95


def test_target_sparsities_come_after_the_strategies(planned):
    record = planned(ranges={"preset": "resnet"}, target_sparsity=(0.3, 0.4))
    assert [x.name for x in record.strategies] == ["aggressive", "target_0.30", "target_0.40"]
    num_weights = sum(layer.num_weights for layer in record.layers)
    for strategy, target in zip(record.strategies[1:], (0.3, 0.4), strict=True):
        # The layers are tiny: one weight is 0.0001 of all.
        assert strategy.sparsity == pytest.approx(target, abs=5e-4)
        assert strategy.sparsity == sum(strategy.num_pruned.values()) / num_weights


def test_a_target_sparsity_out_of_reach_says_what_is_within(planned):
    with pytest.raises(ConfigError, match=r"target_sparsity must lie between 0\.\d{4} and 0\.\d"):
        planned(ranges={"preset": "resnet"}, target_sparsity=(0.99,))


def test_targets_must_be_numbers_by_now(planned):
    with pytest.raises(ConfigError, match=r"ranges.targets must be numbers when .* got auto"):
        planned(ranges={"targets": "auto"})
