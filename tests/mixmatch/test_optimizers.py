"""Optimizers from settings."""

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW, RAdam

from mixmatch.config import FineTuneSettings
from mixmatch.optimizers import hold_zeros_, make_optimizer


@pytest.mark.parametrize(("name", "kind"), [("adam", Adam), ("adamw", AdamW), ("sgd", SGD)])
def test_the_settings_reach_the_optimizer(name, kind):
    settings = FineTuneSettings(optimizer=name, learning_rate=0.25, weight_decay=0.125)
    optimizer = make_optimizer(nn.Linear(2, 2), settings)
    assert type(optimizer) is kind
    assert (optimizer.defaults["lr"], optimizer.defaults["weight_decay"]) == (0.25, 0.125)
    assert optimizer.defaults["fused"] is True


def test_sgd_has_momentum():
    settings = FineTuneSettings(optimizer="sgd")
    assert make_optimizer(nn.Linear(2, 2), settings).defaults["momentum"] == 0.9


def test_frozen_parameters_are_left_out():
    model = nn.Linear(2, 2)
    model.bias.requires_grad_(False)
    (group,) = make_optimizer(model, FineTuneSettings()).param_groups
    assert [id(x) for x in group["params"]] == [id(model.weight)]


def test_a_device_without_fused_kernels_gets_the_plain_form():
    with torch.device("meta"):
        model = nn.Linear(2, 2)
    assert make_optimizer(model, FineTuneSettings()).defaults["fused"] is False


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_a_step_moves_weights_against_the_gradient(name):
    model = nn.Linear(1, 1)
    with torch.no_grad():
        model.weight.fill_(1.0)
    model.weight.grad, model.bias.grad = torch.ones(1, 1), torch.ones(1)
    make_optimizer(model, FineTuneSettings(optimizer=name, learning_rate=0.5)).step()
    assert model.weight.item() == pytest.approx(0.5)


def step(optimizer, model, gradient):
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, gradient)
    optimizer.step()


@pytest.mark.parametrize("kind", [Adam, AdamW])
@pytest.mark.parametrize("form", ["fused", "foreach", "for each"])
def test_held_zeros_stay_whatever_the_gradient(kind, form):
    model, where = nn.Linear(8, 2, bias=False), torch.arange(16).view(2, 8) % 3 == 0
    forms = {"fused": form == "fused", "foreach": form == "foreach"}
    optimizer = kind(model.parameters(), lr=0.5, weight_decay=0.25, **forms)
    step(optimizer, model, 1.0)
    with torch.no_grad():
        model.weight[where] = 0.0
    assert hold_zeros_(optimizer, model.weight, where)
    for gradient in (-1.0, 1e30, 1e-30, 0.0):
        step(optimizer, model, gradient)
    assert (model.weight[where] == 0).all()
    assert torch.isfinite(model.weight).all()
    assert (model.weight[~where] != 0).all()


def test_an_optimizer_that_would_not_hold_zeros_is_not_trusted_with_them():
    model, where = nn.Linear(2, 2), torch.ones(2, 2, dtype=torch.bool)
    assert not hold_zeros_(Adam(model.parameters()), model.weight, where)  # before its first step
    for optimizer in (
        SGD(model.parameters(), momentum=0.9),
        RAdam(model.parameters()),  # has them, and does not always divide by them
        Adam(model.parameters(), betas=(0.9, 0.0)),
    ):
        step(optimizer, model, 1.0)
        assert not hold_zeros_(optimizer, model.weight, where)
