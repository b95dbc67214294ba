"""Convolutions on small images by matrix products, beside the library's kernels, on this machine.

    python benchmarks/small_convolutions.py

Two tables: single layers (outputs alone, and outputs with all gradients), and whole networks in
training and evaluation. Random weights and images, one thread; run it while nothing else runs.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mixmatch.convolution import small_products
from mixmatch.models import build_model
from mixmatch.records import ModelSpec
from tasks.study.machine import Machine

# Input channels, output channels, image side, stride, kernel: of ResNet-18, VGG-11, LeViT at 32x32.
LAYERS = (
    (512, 512, 1, 1, 3),
    (256, 512, 2, 2, 3),
    (256, 256, 2, 1, 3),
    (512, 512, 2, 1, 3),
    (192, 384, 4, 2, 3),
    (128, 256, 4, 2, 3),
    (128, 128, 4, 1, 3),
    (512, 512, 4, 1, 3),
    (256, 512, 2, 2, 1),
)
NETWORKS = ("resnet18", "vgg11_cifar", "levit_384", "swin_tiny_patch4_window7_224")
PRECISIONS = ("float32", "bfloat16")
BATCH, REPEATS = 128, 6


def main() -> None:
    """Measure every layer and network, and print two tables."""
    torch.set_num_threads(1)
    machine = Machine.here()
    print(f"{machine.hardware}, 1 thread, batch {BATCH}; torch {machine.versions['torch']}\n")
    print("| layer | " + " | ".join(f"{x}, {p}" for p in PRECISIONS for x in ("out", "all")) + " |")
    print("|---|" + "---|" * 2 * len(PRECISIONS))
    for layer in LAYERS:
        print(layer_row(*layer), flush=True)
    print("\n| network | " + " | ".join(f"{x}, {p}" for p in PRECISIONS for x in ("train", "eval"))
          + " |\n|---|" + "---|" * 2 * len(PRECISIONS))  # fmt: skip
    for architecture in NETWORKS:
        print(network_row(architecture), flush=True)


def layer_row(num_in: int, num_out: int, side: int, stride: int, kernel: int) -> str:
    """Return one layer's milliseconds, native to products."""
    conv = nn.Conv2d(num_in, num_out, kernel, stride, kernel // 2, bias=False)
    conv.to(memory_format=torch.channels_last)
    images = torch.randn(BATCH, num_in, side, side).to(memory_format=torch.channels_last)
    images.requires_grad_()

    def outputs() -> Tensor:
        with torch.inference_mode():
            return conv(images)

    def step() -> None:
        conv.zero_grad(set_to_none=True)
        images.grad = None
        conv(images).float().sum().backward()

    cells = []
    for precision in PRECISIONS:
        for work in (outputs, step):
            native, products = both(conv, work, precision)
            cells.append(f"{1e3 * native:.2f} to {1e3 * products:.2f} ms")
    name = f"{num_in} to {num_out}, {kernel}x{kernel}, stride {stride}, {side}x{side}"
    return f"| {name} | " + " | ".join(cells) + " |"


def network_row(architecture: str) -> str:
    """Return one network's images/s, native to products."""
    spec = ModelSpec(
        architecture=architecture,
        arguments={},
        num_classes=10,
        image_shape=(32, 32, 3),
        mean=(0.5,) * 3,
        std=(0.5,) * 3,
        classes=tuple("0123456789"),
    )
    model = build_model(spec).to(memory_format=torch.channels_last)
    images = torch.randn(BATCH, 3, 32, 32).to(memory_format=torch.channels_last)
    labels = torch.randint(10, (BATCH,))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)

    def train() -> None:
        model.train()
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(model(images).float(), labels).backward()
        optimizer.step()

    def evaluate() -> None:
        model.eval()
        with torch.inference_mode():
            model(images)

    cells = []
    for precision in PRECISIONS:
        for work in (train, evaluate):
            native, products = both(model, work, precision)
            cells.append(f"{BATCH / native:.0f} to {BATCH / products:.0f} images/s")
    return f"| {architecture} | " + " | ".join(cells) + " |"


def both(model: nn.Module, work: Callable[[], object], precision: str) -> tuple[float, float]:
    """Return the shortest of ``REPEATS`` times, native and by products in turn, seconds."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(REPEATS + 1):
        contexts: tuple[AbstractContextManager[None], ...] = (nullcontext(), small_products(model))
        for context, measured in zip(contexts, times, strict=True):
            with context, autocast(precision):
                started = time.perf_counter()
                work()
                measured.append(time.perf_counter() - started)
    return min(times[0][1:]), min(times[1][1:])


@contextmanager
def autocast(precision: str) -> Iterator[None]:
    """Run the body in bfloat16 where it is asked for."""
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bfloat16"):
        yield


if __name__ == "__main__":
    main()
