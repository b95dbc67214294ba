import numpy as np
import pytest
import torch
from torch import nn

from mixmatch.errors import ArtifactError
from mixmatch.images import ImageSet
from tasks.export_summary import Agreement
from tasks.onnx_files import check_agreement, measure_agreement


class Mean(nn.Module):
    """Gives the mean of each channel as the score of a class."""

    def forward(self, images):
        return images.mean(dim=(2, 3))


@pytest.fixture
def spec(make_spec):
    neutral = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
    return make_spec(2).model_copy(update=neutral)


@pytest.fixture
def images():
    """Return four images, each of one color: red, red, green, blue."""
    colors = torch.tensor([[255, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]], dtype=torch.uint8)
    labels = torch.tensor([0, 1, 1, 2])
    return ImageSet(colors.view(4, 1, 1, 3).expand(4, 2, 2, 3), labels)


def test_equal_answers_agree(images, spec):
    found = measure_agreement(Mean(), lambda pixels: pixels.mean(axis=(2, 3)), images, spec)
    assert found.deviation < 1e-6
    assert found.model_copy(update={"deviation": 0.0}) == Agreement(
        num_images=4, same_class=1.0, accuracy_torch=0.75, accuracy_onnx=0.75, deviation=0.0
    )
    check_agreement(found)


def test_other_answers_are_counted(images, spec):
    def network(pixels):
        logits = pixels.mean(axis=(2, 3))
        logits[1] = [0.0, 0.5, 0.0]
        return logits

    found = measure_agreement(Mean(), network, images, spec)
    assert (found.same_class, found.accuracy_torch, found.accuracy_onnx) == (0.75, 0.75, 1.0)
    assert found.deviation == pytest.approx(1.0)
    message = (
        r"^An ONNX file must give the logits of the network in torch within 0\.0001 of the "
        r"largest, but on 4 validation images they deviate by 1, with the same class for 75\.00%\.$"
    )
    with pytest.raises(ArtifactError, match=message):
        check_agreement(found)


def test_answers_that_are_no_numbers_never_agree(images, spec):
    found = measure_agreement(Mean(), lambda pixels: np.full((4, 3), np.nan), images, spec)
    with pytest.raises(ArtifactError, match=r"they deviate by nan"):
        check_agreement(found)


def test_a_network_that_gives_only_zeros_agrees_with_zeros(images, spec):
    black = ImageSet(torch.zeros_like(images.images), images.labels)
    found = measure_agreement(Mean(), lambda pixels: np.zeros((4, 3)), black, spec)
    assert found.deviation == 0.0
    check_agreement(found)


def test_the_networks_mode_is_kept(images, spec):
    model = Mean().train()
    measure_agreement(model, lambda pixels: pixels.mean(axis=(2, 3)), images, spec)
    assert model.training
