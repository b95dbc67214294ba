"""The rivals' plans for real, on a small network that was never trained."""

import pytest
import torch
from safetensors.torch import save_file

from mixmatch.baselines import adaptive_magnitude
from mixmatch.layers import prunable_layers, weights_of
from mixmatch.masks import global_num_pruned, keep_masks
from mixmatch.models import build_model
from mixmatch.ranges import num_to_prune
from mixmatch.records import ModelSpec
from mixmatch.rivals import RIVALS, rival_scores
from tasks.jobs import RivalsJob
from tasks.networks import open_signals
from tasks.rivals import compute
from tasks.site import Site
from tasks.workspace import Workspace

SPEC = ModelSpec(
    architecture="test_resnet",
    arguments={},
    num_classes=3,
    image_shape=(16, 16, 3),
    mean=(0.5, 0.5, 0.5),
    std=(0.25, 0.25, 0.25),
    classes=("circle", "square", "star"),
)
PRUNING = tuple(name for name in RIVALS if name != "dense")


@pytest.fixture
def site(tmp_path):
    return Site.at(Workspace.open(tmp_path / "workspace"))


@pytest.fixture
def weights():
    torch.manual_seed(0)
    model = build_model(SPEC)
    return weights_of(model, prunable_layers(model))


@pytest.fixture
def job(site):
    """Store an untrained network with signals of noise; ask for all rivals at two sparsities."""
    torch.manual_seed(0)
    model = build_model(SPEC)
    kinds = ("abs_gradient", "gradient", "hessian_gradient")
    signals = {
        f"{kind}/{name}": torch.randn(weight.shape)
        for kind in kinds
        for name, weight in weights_of(model, prunable_layers(model)).items()
    }
    store = site.open_store()
    with store.scratch() as folder:
        save_file(model.state_dict(), folder / "base")
        save_file(signals, folder / "scores")
        artifacts = {name: store.put(folder / name) for name in ("base", "scores")}
    return RivalsJob(
        **artifacts,
        spec=SPEC,
        rivals=PRUNING,
        sparsities=(0.9, 0.5),
        seeds=(3, 1),
        versions={},
    )


def test_plans_come_by_rival_then_sparsity_then_seed(site, job):
    plans = compute(job, site).plans
    fixed = [(x, s, None) for x in ("MAG", "SNIP", "GraSP", "LAMP") for s in (0.9, 0.5)]
    by_chance = [("random", sparsity, seed) for sparsity in (0.9, 0.5) for seed in (3, 1)]
    rest = [(x, s, None) for x in ("PROD", "uniform") for s in (0.9, 0.5)]
    assert [(x.rival, x.sparsity, x.seed) for x in plans] == [*fixed, *by_chance, *rest]


def test_every_plan_is_what_the_scores_of_its_members_remove(site, job, weights):
    signals = open_signals(site.open_store(), job.scores)
    for plan in compute(job, site).plans:
        scores = rival_scores(plan.rival, weights, signals, seed=plan.seed or 0)
        if plan.rival == "LAMP":  # members of LAMP are cut by magnitude, its order within a layer
            scores = {name: adaptive_magnitude(x, x) for name, x in weights.items()}
        expected = (
            {name: num_to_prune(plan.sparsity, x.numel()) for name, x in weights.items()}
            if plan.rival == "uniform"
            else global_num_pruned(scores, [plan.sparsity])[plan.sparsity]
        )
        assert plan.num_pruned == expected
        assert keep_masks(scores, plan.num_pruned).keys() == weights.keys()


def test_chance_has_a_plan_of_its_own_per_seed(site, job):
    plans = [x for x in compute(job, site).plans if x.rival == "random" and x.sparsity == 0.5]
    first, second = (plan.num_pruned for plan in plans)
    assert first != second
    assert sum(first.values()) == sum(second.values())


def test_without_chance_no_seed_is_read(site, job):
    job = job.model_copy(update={"rivals": ("LAMP",), "seeds": None, "sparsities": (0.5,)})
    (plan,) = compute(job, site).plans
    assert (plan.rival, plan.seed) == ("LAMP", None)


def test_signals_without_a_hessian_serve_all_who_need_none(site, job, weights):
    store = site.open_store()
    with store.scratch() as folder:
        noise = {f"gradient/{name}": torch.randn(x.shape) for name, x in weights.items()}
        save_file(noise, folder / "scores")
        scores = store.put(folder / "scores")
    job = job.model_copy(update={"rivals": ("SNIP", "MAG"), "scores": scores})
    assert len(compute(job, site).plans) == 4
