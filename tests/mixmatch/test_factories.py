import pytest
import torch
from torch import nn
from torchvision.models import resnet18

from mixmatch.errors import ConfigError
from mixmatch.factories import is_factory_name
from mixmatch.models import build_model
from mixmatch.records import ModelSpec


def spec_of(architecture, channels=3, **arguments):
    return ModelSpec(
        architecture=architecture,
        arguments=arguments,
        num_classes=10,
        image_shape=(32, 32, channels),
        mean=(0.5,) * channels,
        std=(0.25,) * channels,
        classes=tuple("0123456789"),
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nets:build", True),
        ("a.b_c.d1:Net", True),
        ("resnet18", False),
        ("hf-hub:a/b", False),
        ("local-dir:/x", False),
        ("nets:", False),
        (":build", False),
        ("nets:a:b", False),
        ("nets.:b", False),
        ("nets:a.b", False),
    ],
)
def test_a_factory_is_a_dotted_module_and_one_name(name, expected):
    assert is_factory_name(name) is expected


OWN = "nets.small:build"


class Small(nn.Sequential):
    def __init__(self, num_classes, in_chans, width=4):
        super().__init__(
            nn.Conv2d(in_chans, width, 3),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(width, num_classes),
        )


class Pair(nn.Module):
    """Its constructor is nn.Module's, which seems to take any argument and refuses all."""

    def forward(self, images):
        return images, images


def test_a_factory_is_given_classes_channels_and_the_arguments():
    model = build_model(spec_of(OWN, channels=1, width=6), factory=Small)
    assert model[0].weight.shape == (6, 1, 3, 3)
    assert model[3].weight.shape == (10, 6)
    assert all(module.training for module in model.modules())


def test_a_factory_is_given_only_what_its_signature_takes():
    def plain():
        return Small(10, 3)

    def greedy(**settings):
        assert settings == {"num_classes": 10, "in_chans": 3, "nested": {"a": [1, None]}}
        return Small(10, 3)

    def sized(num_classes, img_size):
        assert img_size == 32
        return Small(num_classes, 3)

    assert build_model(spec_of(OWN), factory=plain)[3].out_features == 10
    assert build_model(spec_of(OWN, nested={"a": [1, None]}), factory=greedy)[0].in_channels == 3
    assert build_model(spec_of(OWN), factory=sized)[0].in_channels == 3


def test_a_factory_of_torchvision_may_refuse_channels_that_it_passes_on():
    with torch.device("meta"):
        model = build_model(spec_of("torchvision.models:resnet18"), factory=resnet18)
    assert (model.conv1.in_channels, model.fc.out_features) == (3, 10)


def test_an_argument_of_the_run_file_wins_over_what_is_offered():
    model = build_model(spec_of(OWN, in_chans=3), factory=Small)
    assert model[0].in_channels == 3


def test_a_network_of_a_user_is_not_built_without_its_factory():
    with pytest.raises(ConfigError, match=r"'os:system' is a user's own network: its factory"):
        build_model(spec_of("os:system"))


def test_a_factory_for_a_known_name_is_refused():
    with pytest.raises(ConfigError, match=r"must be package.module:factory .*, got 'test_resnet'"):
        build_model(spec_of("test_resnet"), factory=Small)


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        (
            lambda: 3,
            r"could not be built for 32 x 32 x 3 images: it must return a torch.nn.Module, got int",
        ),
        (lambda: Small(9, 3), r"one image must give \(1, 10\) outputs, got \(1, 9\)"),
        (lambda: nn.LSTM(32, 4), r"could not be built for 32 x 32 x 3 images: "),
        (Pair, r"it must give a tensor of class scores, got tuple\.$"),
        (lambda: 1 / 0, r"nets.small:build could not be built for .*: division by zero\.$"),
    ],
)
def test_what_a_factory_may_not_do_is_one_sentence(factory, message):
    with pytest.raises(ConfigError, match=message):
        build_model(spec_of(OWN), factory=factory)
