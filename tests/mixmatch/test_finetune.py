"""Fine-tuning under a mask: zeros stay zero, the best epoch is kept."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import SGD, Adam

from mixmatch.errors import LayerError, TrainingError
from mixmatch.finetune import fine_tune
from mixmatch.masks import apply_masks_, check_masked, keep_masks

IMAGES = torch.randn(24, 1, 6, 6, generator=torch.Generator().manual_seed(0))
LABELS = (IMAGES.mean(dim=(1, 2, 3)) > 0).long()


def batches():
    for start in range(0, 24, 8):
        yield IMAGES[start : start + 8], LABELS[start : start + 8]


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 2)
    )


def masks_of(model):
    """Prune 27 of the 36 convolution weights and 100 of the 128 linear ones."""
    weights = {"0": model[0].weight.detach().abs(), "4": model[4].weight.detach().abs()}
    return keep_masks(weights, {"0": 27, "4": 100})


def scripted(*accuracies):
    """Return a validation that answers one number after the other."""
    answers = iter(accuracies)
    return lambda model: next(answers)


def tuned(model, masks, validate, **settings):
    optimizer = Adam(model.parameters(), lr=0.01)
    return fine_tune(
        model, masks, batches, optimizer, validate, **{"max_epochs": 3, "patience": 3, **settings}
    )


def test_pruned_weights_are_exactly_zero_afterwards_and_kept_ones_have_moved():
    model = network()
    before, masks = model[4].weight.detach().clone(), masks_of(model)
    tuned(model, masks, scripted(0.5, 0.6, 0.7))
    assert (model[0].weight == 0).sum() == 27
    assert (model[4].weight == 0).sum() == 100
    assert ((model[4].weight != before) & masks["4"]).sum() == 28
    assert not torch.signbit(model[0].weight[~masks["0"]]).any()


def test_every_forward_pass_runs_the_masked_network():
    model = network()
    masks, seen = masks_of(model), []
    model[4].register_forward_pre_hook(
        lambda module, inputs: seen.append(torch.count_nonzero(module.weight).item())
    )
    tuned(model, masks, scripted(0.5, 0.6, 0.7))
    assert seen == [28] * 9  # three epochs of three batches


def test_the_check_catches_a_loop_that_masks_before_the_step():
    # The authors' loop: Adam's step follows the mask and revives the zeros.
    model = network()
    masks, optimizer = masks_of(model), Adam(model.parameters(), lr=0.01)
    for images, labels in batches():
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        apply_masks_(model, masks)
        optimizer.step()
    assert (model[4].weight == 0).sum() < 10
    with pytest.raises(TrainingError, match="Layer 0 must keep its 27 pruned weights at zero, but"):
        check_masked(model, masks)


def test_a_validation_that_revives_zeros_is_caught():
    model = network()

    def validate(model):
        with torch.no_grad():
            model[4].weight.fill_(1.0)
        return 0.5

    with pytest.raises(TrainingError, match="Layer 4 must keep its 100 pruned weights at zero"):
        tuned(model, masks_of(model), validate, max_epochs=1)


def test_the_best_epoch_is_restored_with_its_statistics():
    model, states = network(), []

    def validate(model):
        states.append({name: x.clone() for name, x in model.state_dict().items()})
        return (0.5, 0.9, 0.7)[len(states) - 1]

    result = tuned(model, masks_of(model), validate)
    assert result.best_epoch == 1
    assert all(torch.equal(x, states[1][name]) for name, x in model.state_dict().items())
    assert not all(torch.equal(x, states[2][name]) for name, x in model.state_dict().items())


def test_stops_after_patience_epochs_without_a_better_accuracy():
    result = tuned(network(), {}, scripted(0.5, 0.8, 0.8, 0.7, 0.9), max_epochs=9, patience=2)
    assert [x.validation_accuracy for x in result.epochs] == [0.5, 0.8, 0.8, 0.7]
    assert result.best_epoch == 1  # of two equal epochs the earlier


def test_a_better_epoch_renews_the_patience():
    accuracies = (0.5, 0.4, 0.6, 0.5, 0.7, 0.6, 0.6, 0.9)
    result = tuned(network(), {}, scripted(*accuracies), max_epochs=9, patience=2)
    assert len(result.epochs) == 7
    assert result.best_epoch == 4


def test_the_first_epoch_is_kept_even_at_accuracy_zero():
    result = tuned(network(), {}, scripted(0.0, 0.0, 0.0))
    assert (result.best_epoch, len(result.epochs)) == (0, 3)


def test_no_epochs_only_mask_the_network():
    model = network()
    before, masks = model[4].weight.detach().clone(), masks_of(model)
    result = tuned(model, masks, scripted(), max_epochs=0)
    assert (result.best_epoch, result.epochs) == (-1, ())
    assert torch.equal(model[4].weight, before * masks["4"])
    assert not model.training


def test_each_epoch_is_reported_when_it_is_over():
    heard = []
    result = tuned(network(), {}, scripted(0.5, 0.6, 0.7), on_epoch=heard.append)
    assert tuple(heard) == result.epochs
    assert [x.validation_accuracy for x in heard] == [0.5, 0.6, 0.7]
    assert all(x.train_loss > 0 and x.seconds > 0 for x in heard)


def test_a_loss_of_ones_own_is_minimized_under_the_mask():
    model = network()
    masks = masks_of(model)

    def size(model, images, labels):
        return model[4].weight.square().sum()

    result = tuned(model, masks, scripted(0.5, 0.6, 0.7), loss=size)
    assert result.epochs[2].train_loss < result.epochs[0].train_loss
    assert (model[4].weight == 0).sum() == 100


def test_a_training_that_diverges_is_an_error():
    model = network()
    with pytest.raises(TrainingError, match="training loss must stay finite"):
        fine_tune(
            model,
            {},
            lambda: [(IMAGES * math.inf, LABELS)],
            SGD(model.parameters(), lr=0.1),
            scripted(0.5),
            max_epochs=1,
            patience=1,
        )


def test_a_mask_of_another_network_is_an_error():
    with pytest.raises(LayerError, match="conv9"):
        tuned(network(), {"conv9": torch.ones(1, dtype=torch.bool)}, scripted(0.5))


def test_the_same_input_gives_the_same_network():
    first, second = network(), network()
    for model in (first, second):
        tuned(model, masks_of(model), scripted(0.5, 0.6, 0.7))
    assert torch.equal(first[4].weight, second[4].weight)
