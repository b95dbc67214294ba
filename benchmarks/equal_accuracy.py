"""Whether the fast way of fine-tuning is as accurate as the plain one, on real images.

A network is trained on 8,000 images of Fashion-MNIST for two epochs, pruned by magnitude to the
same sparsity in every layer, and fine-tuned for one epoch of 4,000 images with three seeds: by
``mixmatch.finetune`` in this processor's own precision, and by the plain float32 loop with
the same crops and flips. All are evaluated in float32 on the 10,000 test images. The interval is
Welch's of the seeds' accuracies: other seeds are what would change the difference most.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.stats import ttest_ind
from torch import Tensor, nn

from benchmarks.authors_way import spec_of
from benchmarks.fine_tuning import BATCH, PlainLoop
from mixmatch.evaluation import evaluate
from mixmatch.execution import autocast_of, fast_convolutions, resolve_execution
from mixmatch.finetune import fine_tune
from mixmatch.images import Batches, ImageSet, Preprocessing, ordered_batches, shuffled_batches
from mixmatch.layers import prunable_layers, weights_of
from mixmatch.masks import apply_masks_, keep_masks
from mixmatch.models import build_model
from mixmatch.optimizers import optimizer_for
from mixmatch.training import cross_entropy, train
from tasks.data import fashion_mnist

SEEDS = (0, 1, 2)
BASE_IMAGES, BASE_EPOCHS, TUNE_IMAGES = 8_000, 2, 4_000
LEARNING_RATE = 5e-5
# What each network still works at when its layers all lose the same share.
SPARSITIES = {
    "resnet18": 0.8,
    "vgg11_cifar": 0.8,
    "levit_384": 0.5,
    "swin_tiny_patch4_window7_224": 0.4,
}
PREPARE = Preprocessing((0.5,) * 3, (0.5,) * 3)
HEADING = (
    "| network | sparsity | masked, % | ours, % | plain, % | ours - plain, points (95 %) "
    "| equal |\n"
    "|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True, slots=True)
class Pictures:
    """Fashion-MNIST as 32x32 images of three channels."""

    train: ImageSet
    test: ImageSet


def read_pictures(folder: Path) -> Pictures:
    """Read and pad all images: uint8 (N, 32, 32, 3)."""
    raw = fashion_mnist.read(folder)

    def split(rows: np.ndarray) -> ImageSet:
        grey = np.stack([np.asarray(raw.draw(int(row))) for row in rows])
        padded = np.pad(grey, ((0, 0), (2, 2), (2, 2)))
        images = torch.from_numpy(padded)[..., None].expand(-1, -1, -1, 3).contiguous()
        return ImageSet(images, torch.from_numpy(raw.labels[rows]))

    return Pictures(split(raw.rows["train"][:BASE_IMAGES]), split(raw.rows["test"]))


def row(architecture: str, pictures: Pictures) -> str:
    """Fine-tune one network both ways with every seed; a line of the table."""
    base = trained(architecture, pictures.train)
    sparsity = SPARSITIES[architecture]
    weights = {name: x.detach() for name, x in weights_of(base, prunable_layers(base)).items()}
    counts = {name: round(sparsity * x.numel()) for name, x in weights.items()}
    masks = keep_masks({name: x.abs() for name, x in weights.items()}, counts)
    few = ImageSet(pictures.train.images[:TUNE_IMAGES], pictures.train.labels[:TUNE_IMAGES])
    masked = copy.deepcopy(base)
    apply_masks_(masked, masks)
    before = accuracy(masked, pictures.test)
    ours = np.array([accuracy(by_us(base, masks, few, seed), pictures.test) for seed in SEEDS])
    plain = np.array(
        [accuracy(plainly(architecture, base, masks, few, seed), pictures.test) for seed in SEEDS]
    )
    interval = ttest_ind(ours, plain, equal_var=False).confidence_interval(0.95)
    cells = (
        architecture,
        f"{sparsity}",
        f"{100 * before:.2f}",
        _percent(ours),
        _percent(plain),
        f"{100 * (ours.mean() - plain.mean()):+.2f} "
        f"({100 * interval.low:+.2f} to {100 * interval.high:+.2f})",
        "yes" if interval.low <= 0 <= interval.high else "NO",
    )
    return "| " + " | ".join(cells) + " |"


def trained(architecture: str, images: ImageSet) -> nn.Module:
    """Train a base from nothing."""
    torch.manual_seed(0)
    torch.set_num_threads(2)
    model = build_model(spec_of(architecture)).to(memory_format=torch.channels_last)
    execution = resolve_execution(device="cpu", precision="auto", threads=2)
    with fast_convolutions(model, execution):
        train(
            model,
            shuffled(images, 0),
            epochs=BASE_EPOCHS,
            learning_rate=1e-3,
            weight_decay=0.01,
            steps_per_epoch=-(-len(images) // BATCH),
            autocast=autocast_of(execution),
        )
    return model


def by_us(base: nn.Module, masks: Mapping[str, Tensor], images: ImageSet, seed: int) -> nn.Module:
    """Fine-tune a copy as the product does."""
    model = copy.deepcopy(base)
    execution = resolve_execution(device="cpu", precision="auto", threads=2)
    optimizer = optimizer_for(model, "adam", learning_rate=LEARNING_RATE, weight_decay=0.0)
    with fast_convolutions(model, execution):
        fine_tune(
            model,
            dict(masks),
            shuffled(images, seed),
            optimizer,
            lambda _: 0.0,  # of one epoch there is nothing to choose
            max_epochs=1,
            patience=1,
            loss=cross_entropy(autocast_of(execution)),
        )
    return model


def plainly(
    architecture: str, base: nn.Module, masks: Mapping[str, Tensor], images: ImageSet, seed: int
) -> nn.Module:
    """Fine-tune a copy in the plain loop."""
    torch.manual_seed(seed)
    loop = PlainLoop(architecture, 2, images=images, learning_rate=LEARNING_RATE)
    loop.take(base.state_dict(), masks)
    loop()
    return loop.model


def accuracy(model: nn.Module, images: ImageSet) -> float:
    """Return the share of images that the network gets right, in float32."""
    return evaluate(model.eval(), ordered_batches(images, PREPARE, 500)).value


def shuffled(images: ImageSet, seed: int) -> Batches:
    """Return passes with random crops and flips."""
    generator = torch.Generator().manual_seed(seed)
    return shuffled_batches(images, PREPARE, BATCH, augmentation="crop_flip", generator=generator)


def _percent(accuracies: np.ndarray) -> str:
    return f"{100 * accuracies.mean():.2f} ± {100 * accuracies.std(ddof=1):.2f}"
