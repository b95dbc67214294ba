"""VGG-11 for small images, as the paper prunes it: 28.1M parameters with ten classes."""

from itertools import pairwise

from torch import Tensor, nn

# Configuration A of Simonyan & Zisserman 2015: output channels of the 3x3 convolutions of each
# stage; max-pooling ends a stage.
_STAGES = ((64,), (128,), (256, 256), (512, 512), (512, 512))
_HIDDEN = 4096


class Vgg(nn.Module):
    """VGG with batch norm: stages of convolutions, global average pooling, a head of three layers.

    Parts are named as torchvision's, so a checkpoint of its ``vgg11_bn`` with these two parts
    replaced fits as it is.
    """

    def __init__(self, num_classes: int, in_chans: int, drop_rate: float) -> None:
        """Draw the weights as torchvision does."""
        super().__init__()
        self.features = _features(in_chans)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = _head(_STAGES[-1][-1], num_classes, drop_rate)
        self.apply(_initialize_)

    def forward(self, images: Tensor) -> Tensor:
        """Return class scores (B, classes) of images (B, C, H, W), H and W at least 32."""
        scores: Tensor = self.classifier(self.avgpool(self.features(images)).flatten(1))
        return scores


def vgg11_cifar(*, num_classes: int, in_chans: int = 3, drop_rate: float = 0.5) -> nn.Module:
    """Build the paper's VGG-11: torchvision's with pooling to 1x1 and a 512-4096-4096 head.

    Args:
        num_classes: outputs of the last layer.
        in_chans: channels of the images.
        drop_rate: of the two dropout layers of the head, a fraction.
    """
    return Vgg(num_classes, in_chans, drop_rate)


def _features(in_chans: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    channels = in_chans
    for stage in _STAGES:
        for width in stage:
            convolution = nn.Conv2d(channels, width, kernel_size=3, padding=1)
            layers += [convolution, nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
            channels = width
        layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
    return nn.Sequential(*layers)


def _head(num_features: int, num_classes: int, drop_rate: float) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width_in, width_out in pairwise((num_features, _HIDDEN, _HIDDEN)):
        layers += [nn.Linear(width_in, width_out), nn.ReLU(inplace=True), nn.Dropout(drop_rate)]
    return nn.Sequential(*layers, nn.Linear(_HIDDEN, num_classes))


def _initialize_(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, 0, 0.01)
    if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
