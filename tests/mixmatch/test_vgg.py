import pytest
import torch
from torch import nn
from torchvision.models import vgg11_bn

from mixmatch.errors import ConfigError
from mixmatch.models import build_model
from mixmatch.records import ModelSpec
from mixmatch.vgg import vgg11_cifar


def spec_of(height=32, width=32, channels=3, **arguments):
    return ModelSpec(
        architecture="vgg11_cifar",
        arguments=arguments,
        num_classes=10,
        image_shape=(height, width, channels),
        mean=(0.5,) * channels,
        std=(0.25,) * channels,
        classes=tuple("0123456789"),
    )


def shapes(state):
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


def test_is_torchvisions_with_pooling_to_one_pixel_and_a_smaller_head():
    with torch.device("meta"):
        theirs = vgg11_bn(num_classes=10)
        theirs.avgpool = nn.AdaptiveAvgPool2d(1)
        theirs.classifier[0] = nn.Linear(512, 4096)
        ours = vgg11_cifar(num_classes=10)
    assert shapes(ours.state_dict()) == shapes(theirs.state_dict())


def test_computes_what_torchvisions_computes_with_these_parts_replaced():
    torch.manual_seed(0)
    ours = vgg11_cifar(num_classes=10).eval()
    with torch.device("meta"):
        theirs = vgg11_bn(num_classes=10)
        theirs.avgpool, theirs.classifier[0] = nn.AdaptiveAvgPool2d(1), nn.Linear(512, 4096)
    theirs.load_state_dict(ours.state_dict(), assign=True)
    images = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(ours(images), theirs.eval()(images))


def test_weights_are_drawn_as_torchvision_draws_them():
    torch.manual_seed(0)
    model = vgg11_cifar(num_classes=10)
    # 2 / (256 * 9) is He's variance by fan-out; a thousandth of these 590,000 draws is its noise.
    assert model.features[11].weight.std().item() == pytest.approx((2 / 2304) ** 0.5, rel=0.01)
    assert model.classifier[3].weight.std().item() == pytest.approx(0.01, rel=0.01)
    biases = [x.bias for x in model.modules() if isinstance(x, nn.Conv2d | nn.Linear)]
    assert len(biases) == 11
    assert not any(bias.count_nonzero() for bias in biases)


@pytest.mark.parametrize(
    ("height", "width", "channels"), [(32, 32, 1), (33, 47, 3), (64, 64, 3), (32, 224, 3)]
)
def test_reads_images_of_any_size_from_32_on(height, width, channels):
    with torch.device("meta"):
        model = build_model(spec_of(height, width, channels))
        assert model(torch.zeros(2, channels, height, width)).shape == (2, 10)


@pytest.mark.parametrize(("height", "width"), [(31, 31), (32, 16), (8, 64)])
def test_smaller_images_are_refused(height, width):
    message = rf"^vgg11_cifar does not take {height} x {width} x 3 images: .*too small\.$"
    with pytest.raises(ConfigError, match=message), torch.device("meta"):
        build_model(spec_of(height, width))


def test_the_rate_of_dropout_is_its_one_argument():
    with torch.device("meta"):
        model = build_model(spec_of(drop_rate=0.25))
        assert [x.p for x in model.modules() if isinstance(x, nn.Dropout)] == [0.25, 0.25]
        with pytest.raises(ConfigError, match=r"does not take .* with {'depth': 3}: .*'depth'"):
            build_model(spec_of(depth=3))
