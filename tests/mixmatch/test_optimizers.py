"""Optimizers from settings."""

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW

from mixmatch.config import FineTuneSettings
from mixmatch.optimizers import make_optimizer


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
