import pytest
import torch
from torch import nn

from mixmatch.convolution import small_products

CASES = [
    # kernel, stride, padding, height, width
    (3, 1, 1, 1, 1),  # only the middle tap sees anything
    (3, 1, 1, 2, 2),
    (3, 1, 1, 1, 4),
    (3, 2, 1, 4, 4),
    (3, 2, 1, 5, 5),
    (1, 2, 0, 4, 4),
    (1, 2, 1, 1, 1),  # no tap sees anything
    (5, 1, 2, 4, 4),
    (5, 1, 2, 2, 1),
    (2, 2, 0, 8, 8),
    (3, 1, 1, 7, 7),  # as the plain module
]


def _gradients(conv, images):
    conv.zero_grad()
    images = images.clone().requires_grad_()
    outputs = conv(images)
    (
        outputs * torch.linspace(-1, 1, outputs.numel(), dtype=outputs.dtype).view_as(outputs)
    ).sum().backward()
    return outputs.detach(), images.grad, conv.weight.grad.clone(), conv.bias.grad.clone()


@pytest.mark.parametrize(("kernel", "stride", "padding", "height", "width"), CASES)
def test_output_and_gradients_equal_those_of_the_plain_convolution(
    kernel, stride, padding, height, width
):
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 5, kernel, stride, padding).double()
    images = torch.randn(4, 3, height, width, dtype=torch.float64)

    plain = _gradients(conv, images)
    with small_products(conv):
        products = _gradients(conv, images)

    for expected, found in zip(plain, products, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("kernel", "stride", "padding", "height", "width"), CASES)
def test_an_evaluation_gives_the_same_outputs_as_training(kernel, stride, padding, height, width):
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 5, kernel, stride, padding)
    images = torch.randn(4, 3, height, width)

    with small_products(conv):
        trained = conv(images)
        with torch.inference_mode():
            evaluated = conv(images)

    assert torch.equal(evaluated, trained.detach())


def test_autocast_gives_bfloat16_outputs_and_float32_gradients():
    torch.manual_seed(0)
    conv = nn.Conv2d(8, 8, 3, 1, 1)
    images = torch.randn(4, 8, 2, 2)

    with small_products(conv), torch.autocast("cpu", torch.bfloat16):
        outputs = conv(images)
    outputs.float().sum().backward()

    assert outputs.dtype is torch.bfloat16
    assert conv.weight.grad.dtype is torch.float32
    torch.testing.assert_close(outputs.float(), conv(images), rtol=0, atol=0.02)  # 8 bits


def test_contexts_of_one_model_may_be_nested():
    conv = nn.Conv2d(2, 3, 3)
    with small_products(conv):
        with small_products(conv):
            pass
        assert "forward" in vars(conv)
    assert "forward" not in vars(conv)


def test_second_derivatives_equal_those_of_the_plain_convolution():
    torch.manual_seed(0)
    conv = nn.Conv2d(2, 3, 3, 1, 1).double()
    images = torch.randn(2, 2, 2, 2, dtype=torch.float64)

    def second():
        loss = conv(images).pow(3).sum()
        (first,) = torch.autograd.grad(loss, conv.weight, create_graph=True)
        return torch.autograd.grad(first.pow(2).sum(), conv.weight)[0]

    plain = second()
    with small_products(conv):
        products = second()

    torch.testing.assert_close(products, plain, rtol=1e-11, atol=1e-11)


def test_the_module_is_as_before_afterwards():
    conv = nn.Conv2d(2, 3, 3)
    with small_products(conv):
        assert "forward" in vars(conv)
    assert "forward" not in vars(conv)


def test_grouped_and_subclassed_convolutions_are_left_alone():
    class Own(nn.Conv2d):
        pass

    model = nn.Sequential(
        nn.Conv2d(4, 4, 3, groups=2), Own(4, 4, 3), nn.Conv2d(4, 4, 3, dilation=2)
    )
    with small_products(model):
        assert not any("forward" in vars(module) for module in model)
