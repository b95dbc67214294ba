"""The data sets that a run file may name: how to add one is said in ``tasks.data``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tasks.data import cifar, digits, fashion_mnist, gtsrb, image_folder
from tasks.data.locate import LocatedData
from tasks.data.raw import RawData
from tasks.workspace import Workspace


@dataclass(frozen=True, slots=True)
class DataSource:
    """One data set.

    Attributes:
        name: its key in SOURCES and in run files.
        locate: maps ``data.root`` (absolute, or None) and the workspace to what was found.
        read: maps the folder that was found to its labels and images.
        mean: of images in [0, 1]; one number where they are grey, else three.
        std: likewise, above 0.
        augmentation: what suits it: ``none``, ``crop`` or ``crop_flip``.
        source: where it comes from.
    """

    name: str
    locate: Callable[[Path | None, Workspace], LocatedData]
    read: Callable[[Path | None], RawData]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    augmentation: str
    source: str

    def normalization(self, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return mean and standard deviation for images with 1 or 3 channels.

        Grey numbers are repeated; for colour images made grey the three are averaged.
        """
        return _for_channels(self.mean, channels), _for_channels(self.std, channels)


_ALL = (
    # Mean and std of all images at 8x8. A mirrored digit is no digit, hence no flip.
    DataSource(
        *("digits", digits.locate, digits.read),
        *((0.3053,), (0.3759,), "crop"),
        "UCI optdigits test set, Alpaydin and Kaynak 1998, as in scikit-learn",
    ),
    # Mean and std of the 60,000 training images at 28x28.
    DataSource(
        *("fashion_mnist", fashion_mnist.locate, fashion_mnist.read),
        *((0.2860,), (0.3530,), "crop_flip"),
        "Xiao, Rasul and Vollgraf 2017, arXiv 1708.07747",
    ),
    # Mean and std of the 50,000 training images (Stevens et al., Deep learning with PyTorch, 7.1).
    # The std 0.2023, 0.1994, 0.2010 that is often seen is another number: the mean of the images'.
    DataSource(
        *("cifar10", cifar.CIFAR10.locate, cifar.CIFAR10.read),
        *((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616), "crop_flip"),
        "Krizhevsky 2009, Learning multiple layers of features from tiny images",
    ),
    # Mean and std of the 50,000 training images, by the same computation.
    DataSource(
        *("cifar100", cifar.CIFAR100.locate, cifar.CIFAR100.read),
        *((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762), "crop_flip"),
        "Krizhevsky 2009, Learning multiple layers of features from tiny images; fine labels",
    ),
    # Mean and std of the training images at 32x32, as trojanvision.datasets.GTSRB has them.
    # No flip: a mirrored sign is another sign, or none.
    DataSource(
        *("gtsrb", gtsrb.locate, gtsrb.read),
        *((0.3403, 0.3121, 0.3214), (0.2724, 0.2608, 0.2669), "crop"),
        "Stallkamp, Schlipsing, Salmen and Igel 2012, Man vs. computer",
    ),
    # timm.data.constants.IMAGENET_DEFAULT_MEAN and _STD. No flip: the images may be signs or text.
    DataSource(
        *("image_folder", image_folder.locate, image_folder.read),
        *((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), "crop"),
        "the user's own images",
    ),
)

SOURCES: Mapping[str, DataSource] = MappingProxyType({source.name: source for source in _ALL})


def _for_channels(values: tuple[float, ...], channels: int) -> tuple[float, ...]:
    if len(values) == channels:
        return values
    if channels == 1:
        return (round(sum(values) / len(values), 4),)
    return values * channels
