"""Distillation: the loss by hand, and a teacher that nothing happens to."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.optim import Adam

from mixmatch.distillation import Distillation, distillation_loss
from mixmatch.errors import ConfigError
from mixmatch.finetune import fine_tune
from mixmatch.training import cross_entropy

IMAGES = torch.randn(12, 1, 4, 4, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(12) % 3


def batches():
    yield IMAGES[:8], LABELS[:8]
    yield IMAGES[8:], LABELS[8:]


def network(seed):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Dropout(0.5), nn.Linear(8, 3)
    )


def softmax(scores):
    powers = [math.exp(score) for score in scores]
    return [power / sum(powers) for power in powers]


def test_the_loss_is_that_of_the_paper_by_hand():
    student, teacher = torch.tensor([[2.0, 0.0], [-2.0, 4.0]]), torch.tensor([[0.0, 4.0]] * 2)
    loss = distillation_loss(student, teacher, torch.tensor([0, 0]), weight=0.25, temperature=2.0)
    of_labels = (-math.log(softmax([2, 0])[0]) - math.log(softmax([-2, 4])[0])) / 2
    q = softmax([0, 2])
    divergences = [
        sum(b * math.log(b / a) for a, b in zip(p, q, strict=True))
        for p in (softmax([1, 0]), softmax([-1, 2]))
    ]
    expected = 0.75 * of_labels + 0.25 * 4 * sum(divergences) / 2
    assert loss.item() == pytest.approx(expected, rel=1e-6)  # float32


def test_the_gradient_is_the_mean_of_both_errors():
    student = torch.tensor([[2.0, 0.0]], requires_grad=True)
    teacher = torch.tensor([[0.0, 4.0]])
    loss = distillation_loss(student, teacher, torch.tensor([0]), weight=0.25, temperature=2.0)
    loss.backward()
    of_label = softmax([2, 0])[0] - 1
    of_teacher = softmax([1, 0])[0] - softmax([0, 2])[0]
    expected = 0.75 * of_label + 0.25 * 2 * of_teacher  # T^2 / T
    assert student.grad[0].tolist() == pytest.approx([expected, -expected], rel=1e-6)


def test_a_student_like_its_teacher_learns_from_the_labels_alone():
    scores = torch.tensor([[2.0, 0.0]])
    loss = distillation_loss(scores, scores, torch.tensor([0]), weight=0.5, temperature=3.0)
    assert loss.item() == pytest.approx(0.5 * math.log1p(math.exp(-2)), rel=1e-6)


def tuned(loss):
    """Fine-tune one network by ``loss`` from a fixed random state."""
    model = network(1)
    torch.manual_seed(2)
    fine_tune(
        model,
        {},
        batches,
        Adam(model.parameters(), lr=0.01),
        lambda model: 0.5,
        max_epochs=1,
        patience=1,
        loss=loss,
    )
    return model


def test_a_weight_of_zero_is_plain_training_bit_for_bit():
    # The teacher's dropout draws nothing either: it is in eval mode.
    plain = tuned(cross_entropy())
    distilled = tuned(Distillation(network(0), weight=0.0, temperature=4.0))
    assert all(map(torch.equal, plain.state_dict().values(), distilled.state_dict().values()))


def test_a_teacher_changes_what_is_learned():
    plain = tuned(cross_entropy())
    distilled = tuned(Distillation(network(0), weight=0.5, temperature=4.0))
    assert not torch.equal(plain[4].weight, distilled[4].weight)


def test_the_teacher_is_never_changed():
    teacher = network(0)
    before = copy.deepcopy(teacher.state_dict())
    tuned(Distillation(teacher, weight=1.0, temperature=1.0))
    assert all(map(torch.equal, before.values(), teacher.state_dict().values()))
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert not any(module.training for module in teacher.modules())


def test_no_graph_leads_to_the_teacher():
    teacher, seen = network(0), []
    teacher.register_forward_hook(lambda module, inputs, outputs: seen.append(outputs))
    loss = Distillation(teacher, weight=0.5, temperature=4.0)(network(1), IMAGES, LABELS)
    assert [outputs.requires_grad for outputs in seen] == [False]
    gradients = torch.autograd.grad(loss, list(teacher.parameters()), allow_unused=True)
    assert gradients == (None,) * 6


def test_student_and_teacher_run_under_the_same_autocast_and_the_loss_is_float32():
    teacher, student, seen = network(0), network(1), []
    for model in (teacher, student):
        model.register_forward_hook(lambda module, inputs, outputs: seen.append(outputs.dtype))
    loss = Distillation(
        teacher,
        weight=0.5,
        temperature=4.0,
        autocast=lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    )(student, IMAGES, LABELS)
    assert seen == [torch.bfloat16, torch.bfloat16]
    assert loss.dtype == torch.float32
    loss.backward()
    assert all(parameter.grad is not None for parameter in student.parameters())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weight": 50, "temperature": 4.0}, r"distill.weight must be a fraction in \[0, 1\], got"),
        ({"weight": 0.5, "temperature": 0.0}, "distill.temperature must be above 0, got 0.0"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        Distillation(network(0), **settings)
