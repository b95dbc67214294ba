"""The training epoch, dense training, and progress within an epoch."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import SGD
from torch.optim.optimizer import register_optimizer_step_pre_hook

from mixmatch.errors import DataError, TrainingError
from mixmatch.training import cross_entropy, reporting, train, train_epoch

IMAGES = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 1.0], [1.0, 4.0]])
LABELS = torch.tensor([0, 1, 0, 1])


def batches():
    yield IMAGES[:3], LABELS[:3]
    yield IMAGES[3:], LABELS[3:]


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 2))


def test_training_lowers_the_loss_and_ends_in_eval_mode():
    model = network()
    losses = train(model, batches, epochs=30, learning_rate=0.1, steps_per_epoch=2)
    assert len(losses) == 30
    assert losses[-1] < losses[0] / 2
    assert not model.training


def test_each_epoch_is_reported_when_it_is_over():
    heard = []
    losses = train(
        network(), batches, epochs=3, learning_rate=0.1, steps_per_epoch=2, on_epoch=heard.append
    )
    assert tuple(heard) == losses


def rates_of_steps(schedule):
    """Record the learning rate at every step."""
    rates = []

    def record(optimizer, args, kwargs):
        rates.append(optimizer.param_groups[0]["lr"])

    handle = register_optimizer_step_pre_hook(record)
    try:
        train(network(), batches, epochs=5, learning_rate=0.5, steps_per_epoch=2, schedule=schedule)
    finally:
        handle.remove()
    return rates


def test_a_constant_schedule_never_changes_the_step_size():
    assert rates_of_steps("constant") == [0.5] * 10


def test_one_cycle_climbs_to_the_peak_and_falls_to_almost_nothing():
    rates = rates_of_steps("one_cycle")
    assert len(rates) == 10
    assert rates[0] == pytest.approx(0.02)
    assert max(rates) == rates[2] == pytest.approx(0.5)
    assert rates[-1] == pytest.approx(0.5 / 25 / 1e4)


def test_the_loss_of_an_epoch_counts_every_image_once():
    model = nn.Sequential(nn.Identity(), nn.Linear(2, 2))
    with torch.no_grad():
        model[1].weight.copy_(torch.eye(2))
        model[1].bias.zero_()
    loss = train_epoch(model, batches, SGD(model.parameters(), lr=1e-12))
    expected = [math.log1p(math.exp(-margin)) for margin in (2, 1, 2, 3)]
    assert loss == pytest.approx(sum(expected) / 4, rel=1e-6)  # float32


def test_what_follows_a_step_is_called_after_every_step_in_train_mode():
    model, seen = network(), []
    weights = [model[0].weight.detach().clone()]

    def after_step():
        seen.append((model.training, torch.equal(model[0].weight, weights[-1])))
        weights.append(model[0].weight.detach().clone())

    train_epoch(model.eval(), batches, SGD(model.parameters(), lr=0.1), after_step=after_step)
    assert seen == [(True, False), (True, False)]


def test_a_loss_that_is_not_finite_is_an_error():
    model = network()
    with pytest.raises(TrainingError, match="training loss must stay finite, got nan"):
        train_epoch(model, lambda: [(IMAGES * math.nan, LABELS)], SGD(model.parameters(), lr=0.1))


def test_an_epoch_without_images_is_an_error():
    model = network()
    with pytest.raises(DataError, match="must read at least one batch, got none"):
        train_epoch(model, lambda: [], SGD(model.parameters(), lr=0.1))


def test_progress_is_told_when_the_work_on_a_batch_is_over():
    events = []
    for images, _ in reporting(batches, 2, events.append)():
        events.append(f"work on {len(images)}")
    assert events == ["work on 3", 0.5, "work on 1", 1.0]


def test_progress_never_passes_one():
    events = []
    list(reporting(batches, 1, events.append)())
    assert events == [1.0, 1.0]


def test_the_autocast_context_surrounds_the_forward_pass():
    seen = []
    model = network()
    model[0].register_forward_hook(lambda module, inputs, outputs: seen.append(outputs.dtype))
    train_epoch(
        model,
        batches,
        SGD(model.parameters(), lr=0.1),
        loss=cross_entropy(lambda: torch.autocast("cpu", dtype=torch.bfloat16)),
    )
    assert seen == [torch.bfloat16, torch.bfloat16]


def test_the_loss_is_float32_whatever_the_forward_pass_computes_in():
    loss = cross_entropy(lambda: torch.autocast("cpu", dtype=torch.bfloat16))
    assert loss(network(), IMAGES, LABELS).dtype == torch.float32


def test_a_plain_epoch_is_bit_for_bit_the_textbook_loop():
    trained, expected = network(), network()
    optimizer = SGD(expected.parameters(), lr=0.1, momentum=0.9)
    for images, labels in batches():
        optimizer.zero_grad()
        F.cross_entropy(expected(images), labels).backward()
        optimizer.step()
    train_epoch(trained, batches, SGD(trained.parameters(), lr=0.1, momentum=0.9))
    assert torch.equal(trained[0].weight, expected[0].weight)
    assert torch.equal(trained[0].bias, expected[0].bias)


def test_a_loss_of_ones_own_is_minimized_and_reported():
    model = network()

    def size(model, images, labels):
        assert (len(images), len(labels)) in {(3, 3), (1, 1)}
        return model[0].weight.square().sum()

    with torch.no_grad():
        model[0].weight.fill_(1.0)
    before = model[0].bias.clone()
    loss = train_epoch(model, batches, SGD(model.parameters(), lr=0.25), loss=size)
    assert loss == (3 * 4.0 + 1 * 1.0) / 4  # of weights of 1 and then of 0.5
    assert torch.equal(model[0].weight, torch.full((2, 2), 0.25))
    assert torch.equal(model[0].bias, before)
