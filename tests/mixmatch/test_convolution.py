import pytest
import torch
from torch import nn

from mixmatch.convolution import tap_weight_gradients

CASES = [
    # kernel, stride, padding, size
    (3, 1, 1, 1),
    (3, 1, 1, 2),
    (3, 2, 1, 4),
    (3, 2, 1, 5),
    (1, 2, 0, 4),
    (5, 1, 2, 4),
    (2, 2, 0, 8),
]


def _gradients(conv, images):
    conv.zero_grad()
    images = images.clone().requires_grad_()
    outputs = conv(images)
    (
        outputs * torch.linspace(-1, 1, outputs.numel(), dtype=outputs.dtype).view_as(outputs)
    ).sum().backward()
    return outputs.detach(), images.grad, conv.weight.grad.clone(), conv.bias.grad.clone()


@pytest.mark.parametrize(("kernel", "stride", "padding", "size"), CASES)
def test_every_gradient_equals_that_of_the_plain_convolution(kernel, stride, padding, size):
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 5, kernel, stride, padding).double()
    images = torch.randn(4, 3, size, size, dtype=torch.float64)

    plain = _gradients(conv, images)
    with tap_weight_gradients(conv):
        tapped = _gradients(conv, images)

    for expected, found in zip(plain, tapped, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_second_derivatives_equal_those_of_the_plain_convolution():
    torch.manual_seed(0)
    conv = nn.Conv2d(2, 3, 3, 1, 1).double()
    images = torch.randn(2, 2, 2, 2, dtype=torch.float64)

    def second():
        loss = conv(images).pow(3).sum()
        (first,) = torch.autograd.grad(loss, conv.weight, create_graph=True)
        return torch.autograd.grad(first.pow(2).sum(), conv.weight)[0]

    plain = second()
    with tap_weight_gradients(conv):
        tapped = second()

    torch.testing.assert_close(tapped, plain, rtol=1e-11, atol=1e-11)


def test_the_module_is_as_before_afterwards():
    conv = nn.Conv2d(2, 3, 3)
    with tap_weight_gradients(conv):
        assert "forward" in vars(conv)
    assert "forward" not in vars(conv)


def test_grouped_and_subclassed_convolutions_are_left_alone():
    class Own(nn.Conv2d):
        pass

    model = nn.Sequential(
        nn.Conv2d(4, 4, 3, groups=2), Own(4, 4, 3), nn.Conv2d(4, 4, 3, dilation=2)
    )
    with tap_weight_gradients(model):
        assert not any("forward" in vars(module) for module in model)
