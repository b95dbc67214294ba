"""Fine-tuning beside the plain loop of the method's authors: the time for one image, all told.

Ours: two processes of one thread with the environment of the product's workers, each with its own
member, through ``mixmatch.training``. Theirs: one float32 contiguous network after the other in one
process with 2 threads, a DataLoader, and transforms image by image; once with the loader in the
training process, and once with 2 processes of its own, which stay from epoch to epoch.
"""

import multiprocessing
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from benchmarks.authors_way import spec_of
from benchmarks.ratios import Comparison
from flows.cluster import worker_environment
from mixmatch.enforcement import MaskEnforcer
from mixmatch.execution import autocast_of, fast_convolutions, resolve_execution
from mixmatch.images import ImageSet, Preprocessing, shuffled_batches
from mixmatch.layers import prunable_layers, weights_of
from mixmatch.masks import keep_masks
from mixmatch.models import build_model
from mixmatch.optimizers import optimizer_for
from mixmatch.training import cross_entropy, train_epoch

BATCH, NUM_IMAGES, WORKERS = 128, 1024, 2
LOADERS = (0, 2)  # processes of the DataLoader
GOALS = {
    "resnet18": 2.0,
    "vgg11_cifar": 2.4,
    "levit_384": 1.9,
    "swin_tiny_patch4_window7_224": 2.1,
}


@contextmanager
def comparisons(architecture: str) -> Iterator[list[Comparison]]:
    """Yield the comparisons of one network while its worker processes are up."""
    with workers(architecture) as pipes:

        def ours() -> float:
            started = time.perf_counter()
            for pipe in pipes:
                pipe.send(True)
            for pipe in pipes:
                pipe.recv()
            return (time.perf_counter() - started) / (NUM_IMAGES * len(pipes))

        yield [
            Comparison(
                f"fine_tuning/{architecture}/{loader}",
                f"fine-tuning an image, {architecture}",
                f"plain float32 loop, transforms, DataLoader with {loader} processes",
                GOALS[architecture],
                ours,
                PlainLoop(architecture, loader),
            )
            for loader in LOADERS
        ]


@contextmanager
def workers(architecture: str) -> Iterator[list[Connection]]:
    """Yield one pipe per worker: send anything for an epoch, receive when it is over."""
    context, pipes = multiprocessing.get_context("spawn"), []
    before = dict(os.environ)
    os.environ.update(worker_environment(threads=1))
    processes = []
    for seed in range(WORKERS):
        near, far = context.Pipe()
        process = context.Process(target=work, args=(architecture, seed, far), daemon=True)
        process.start()
        pipes.append(near)
        processes.append(process)
    os.environ.clear()
    os.environ.update(before)
    try:
        yield pipes
    finally:
        for pipe in pipes:
            pipe.send(False)
        for process in processes:
            process.join()


def work(architecture: str, seed: int, pipe: Connection) -> None:
    """Train one member, an epoch per message, until the message is false."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    spec = spec_of(architecture)
    model = build_model(spec).to(memory_format=torch.channels_last)
    weights = {k: x.detach() for k, x in weights_of(model, prunable_layers(model)).items()}
    counts = {name: round(0.8 * x.numel()) for name, x in weights.items()}
    masks = keep_masks({k: x.abs() for k, x in weights.items()}, counts)
    execution = resolve_execution(device="cpu", precision="auto", threads=1)
    batches = shuffled_batches(
        made_up_images(),
        Preprocessing(spec.mean, spec.std),
        BATCH,
        augmentation="crop_flip",
        generator=torch.Generator().manual_seed(seed),
    )
    optimizer = optimizer_for(model, "adam", learning_rate=1e-5, weight_decay=0.0)
    enforce = MaskEnforcer(model, masks, optimizer)
    loss = cross_entropy(autocast_of(execution))
    with fast_convolutions(model, execution):
        while pipe.recv():
            train_epoch(model, batches, optimizer, after_step=enforce, loss=loss)
            pipe.send(True)


class PlainLoop:
    """The authors' loop: masks multiplied into the weights, one network after the other."""

    def __init__(
        self,
        architecture: str,
        loader: int,
        *,
        images: ImageSet | None = None,
        learning_rate: float = 1e-5,
    ) -> None:
        """Build the network with masks of 0.8, and a loader of so many processes.

        Without ``images`` there are made-up ones.
        """
        self.model = build_model(spec_of(architecture))
        weights = weights_of(self.model, prunable_layers(self.model))
        self._masked = [(x, _mask(x.detach())) for x in weights.values()]
        self._optimizer = torch.optim.Adam(self.model.parameters(), lr=learning_rate)
        crop = transforms.RandomCrop(32, padding=4, padding_mode="reflect")  # as ours
        augment = [crop, transforms.RandomHorizontalFlip()]
        normalize = transforms.Normalize((0.5,) * 3, (0.5,) * 3)
        transform = transforms.Compose([*augment, transforms.ToTensor(), normalize])
        self._pictures = _Pictures(images or made_up_images(), transform)
        self._loader = DataLoader(
            self._pictures,
            batch_size=BATCH,
            shuffle=True,
            num_workers=loader,
            persistent_workers=loader > 0,
        )

    def take(self, state: Mapping[str, Any], masks: Mapping[str, torch.Tensor]) -> None:
        """Take over a network's state and other masks, by layer name."""
        self.model.load_state_dict(state)
        weights = weights_of(self.model, prunable_layers(self.model))
        self._masked = [(weights[name], mask.float()) for name, mask in masks.items()]
        with torch.no_grad():
            for weight, mask in self._masked:
                weight.mul_(mask)

    def __call__(self) -> float:
        """Train for an epoch; seconds for one image."""
        torch.set_num_threads(2)
        self.model.train()
        started = time.perf_counter()
        for pictures, targets in self._loader:
            self._optimizer.zero_grad()
            torch.autograd.backward(F.cross_entropy(self.model(pictures), targets))
            self._optimizer.step()
            with torch.no_grad():
                for weight, mask in self._masked:
                    weight.mul_(mask)
        return (time.perf_counter() - started) / len(self._pictures)


class _Pictures(Dataset[Any]):
    def __init__(self, images: ImageSet, transform: transforms.Compose) -> None:
        self._pictures = [Image.fromarray(x.numpy()) for x in images.images]
        self._labels, self._transform = images.labels.tolist(), transform

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        return self._transform(self._pictures[index]), self._labels[index]


def made_up_images() -> ImageSet:
    """Return random uint8 images (N, H, W, C) with labels."""
    generator = torch.Generator().manual_seed(0)
    size = (NUM_IMAGES, 32, 32, 3)
    images = torch.randint(256, size, dtype=torch.uint8, generator=generator)
    return ImageSet(images, torch.arange(NUM_IMAGES) % 10)


def _mask(weight: torch.Tensor) -> torch.Tensor:
    kept = weight.abs().flatten().topk(max(1, round(0.2 * weight.numel()))).indices
    return torch.zeros(weight.numel()).index_fill_(0, kept, 1.0).view_as(weight)
