"""When a linear layer is faster in CSR than dense, on this machine.

    python benchmarks/sparse_linear.py

Two tables: single layers over sparsity and batch size, and VGG-11 as a whole at 0.90. Weights are
random; the time depends on how many are zero, not on which or on their values. One thread; dense
and sparse take turns. Minutes; run it while nothing else runs.
"""

import copy
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from mixmatch.latency import Quartiles, quartiles_of, time_in_turn
from mixmatch.layers import prunable_layers, weights_of
from mixmatch.models import build_model
from mixmatch.records import ModelSpec
from mixmatch.sparse_linear import BREAK_EVEN, SparseLinear, sparsify_linears_
from tasks.host import host_record

# Inputs and outputs: both large layers of VGG-11, one with few outputs, and the smallest layer that
# is replaced at all.
SHAPES = ((4096, 4096), (512, 4096), (4096, 512), (1024, 1024))
SPARSITIES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
BATCHES = (1, 32, 256)
LIMIT_S = 0.5  # for each timing
SPEC = ModelSpec(
    architecture="vgg11_cifar",
    arguments={},
    num_classes=10,
    image_shape=(32, 32, 3),
    mean=(0.5,) * 3,
    std=(0.5,) * 3,
    classes=tuple("0123456789"),
)


def main() -> None:
    """Measure and print both tables."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    host = host_record()
    print(f"{host.processor}, 1 thread; torch {host.versions['torch']}\n")
    with torch.inference_mode():
        print_layers()
        print_network()


def print_layers() -> None:
    """Print one row per layer and sparsity: CSR's time / the dense layer's, by batch size."""
    heads = [f"dense, {x}, ms | CSR / dense, {x}" for x in BATCHES]
    print(f"| layer | sparsity | bytes, CSR / dense | {' | '.join(heads)} |")
    print("|---|---" + "|---" * (1 + 2 * len(BATCHES)) + "|")
    for inputs, outputs in SHAPES:
        for sparsity in SPARSITIES:
            dense = nn.Linear(inputs, outputs).eval()
            zero_(dense.weight, sparsity)
            sparse = SparseLinear(dense)
            cells = [ratio(dense, sparse, torch.randn(batch, inputs)) for batch in BATCHES]
            held = (2 * sparse.values.nbytes + sparse.starts.nbytes) / dense.weight.nbytes
            name = f"{inputs} to {outputs}"
            print(f"| {name} | {sparsity} | {held:.2f} | {' | '.join(cells)} |", flush=True)


def print_network() -> None:
    """Print the time of VGG-11 at 0.90 with dense and with sparse linear layers."""
    dense = build_model(SPEC).eval()
    for weight in weights_of(dense, prunable_layers(dense)).values():
        zero_(weight, 0.9)
    dense.to(memory_format=torch.channels_last)  # as networks are evaluated
    sparse = copy.deepcopy(dense)
    replaced = ", ".join(sparsify_linears_(sparse))
    print(f"\nVGG-11 at 0.90; from {BREAK_EVEN} on, {replaced} are replaced.\n")
    print("| batch | dense, ms | sparse linear, ms | sparse / dense |\n|---|---|---|---|")
    for batch in BATCHES[:2]:
        images = torch.randn(batch, 3, 32, 32).to(memory_format=torch.channels_last)
        before, after = timed(dense, sparse, images)
        part = after.median_s / before.median_s
        print(f"| {batch} | {shown(before)} | {shown(after)} | {part:.2f} |", flush=True)


def zero_(weight: Tensor, sparsity: float) -> None:
    """Set a random part of ``weight`` to zero, in place."""
    chosen = torch.randperm(weight.numel())[: round(sparsity * weight.numel())]
    weight.view(-1)[chosen] = 0.0


def ratio(dense: nn.Module, sparse: nn.Module, images: Tensor) -> str:
    """Return two cells: the dense median, and the sparse one / it."""
    before, after = timed(dense, sparse, images)
    return f"{1000 * before.median_s:.2f} | {after.median_s / before.median_s:.2f}"


def timed(dense: nn.Module, sparse: nn.Module, images: Tensor) -> tuple[Quartiles, Quartiles]:
    """Time two networks on the same images, in turn."""
    calls: dict[str, Callable[[], object]] = {
        "dense": partial(dense, images),
        "sparse": partial(sparse, images),
    }
    seconds = time_in_turn(calls, limit_s=LIMIT_S)
    return quartiles_of(seconds["dense"]), quartiles_of(seconds["sparse"])


def shown(found: Quartiles) -> str:
    """Return median and quartiles in milliseconds."""
    median, low, high = (1000 * x for x in (found.median_s, found.low_s, found.high_s))
    return f"{median:.1f} ({low:.1f} to {high:.1f})"


if __name__ == "__main__":
    main()
