"""Zeros that stay, and a course of all other weights that does not notice."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mixmatch.enforcement import MaskEnforcer
from mixmatch.masks import apply_masks_, keep_masks
from mixmatch.optimizers import optimizer_for

LAYOUTS = [torch.contiguous_format, torch.channels_last]


def network(layout=torch.contiguous_format):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(128, 4))
    return model.to(memory_format=layout)


def masks_of(model):
    """Prune three quarters of the convolution's weights, and nothing of the linear layer's."""
    conv, linear = (model[i].weight.detach().abs() for i in (0, 3))
    return keep_masks({"0": conv, "3": linear}, {"0": 162, "3": 0})


def optimizer_of(model, kind="adam", weight_decay=0.1):
    return optimizer_for(model, kind, learning_rate=0.05, weight_decay=weight_decay)


def trained(model, optimizer, after_step, num_steps=6):
    for seed in range(num_steps):
        images = torch.randn(4, 3, 6, 6, generator=torch.Generator().manual_seed(seed))
        optimizer.zero_grad()
        F.cross_entropy(model(images), torch.arange(4)).backward()
        optimizer.step()
        after_step()
    return model.state_dict()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", ["adam", "adamw", "sgd"])
def test_the_course_is_that_of_masking_after_every_step_bit_for_bit(kind, layout):
    held = network(layout)
    masks, masked = masks_of(held), copy.deepcopy(held)
    optimizer = optimizer_of(held, kind)
    course = trained(held, optimizer, MaskEnforcer(held, masks, optimizer))
    expected = trained(masked, optimizer_of(masked, kind), lambda: apply_masks_(masked, masks))
    assert {name: torch.equal(x, expected[name]) for name, x in course.items()} == dict.fromkeys(
        expected, True
    )
    assert torch.count_nonzero(held[0].weight) == 54


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_no_optimizer_holds_is_zeroed_at_every_call(layout):
    model = network(layout)
    masks = masks_of(model)
    enforce = MaskEnforcer(model, masks, optimizer_of(model, "sgd"))
    for value in (-7.0, 7.0):
        with torch.no_grad():
            model[0].weight.fill_(value)
        enforce()
        assert torch.equal(model[0].weight, masks["0"] * value)
    assert model[0].weight.requires_grad


def test_a_layer_that_gets_no_gradient_at_first_is_held_when_it_does():
    model = network()
    masks = masks_of(model)
    optimizer = optimizer_of(model)
    enforce = MaskEnforcer(model, masks, optimizer)
    optimizer.step()  # nothing has a gradient
    enforce()
    trained(model, optimizer, enforce)
    assert torch.count_nonzero(model[0].weight) == 54


def test_masks_that_prune_nothing_change_nothing():
    model = network()
    before, optimizer = model[3].weight.detach().clone(), optimizer_of(model)
    MaskEnforcer(model, {"3": masks_of(model)["3"]}, optimizer)()
    assert torch.equal(model[3].weight, before)
