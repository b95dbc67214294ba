"""What NNCF takes to prune a network by magnitude; runs in NNCF's own environment.

Reads a line ``ARCHITECTURE SPARSITY`` from standard input, prunes that network once, and answers
with a line of JSON: seconds, weights, and zeros of its masks. Nothing of the product is imported
but the file with VGG-11, which needs torch alone.
"""

import copy
import importlib.util
import json
import sys
import time
from pathlib import Path

import nncf
import timm
import torch
from torch import nn

VGG = Path(__file__).resolve().parents[1] / "mixmatch" / "vgg.py"


def main() -> None:
    """Answer every line until the input ends."""
    torch.set_num_threads(2)
    networks: dict[str, nn.Module] = {}
    for line in sys.stdin:
        architecture, sparsity = line.split()
        if architecture not in networks:
            networks[architecture] = build(architecture)
        print(json.dumps(prune(networks[architecture], float(sparsity))), flush=True)


def prune(network: nn.Module, sparsity: float) -> dict[str, float]:
    """Prune a copy, each layer to ``sparsity``; the copying is not timed."""
    network = copy.deepcopy(network)
    images = torch.zeros(1, 3, 32, 32)
    started = time.perf_counter()
    pruned = nncf.prune(
        network,
        mode=nncf.PruneMode.UNSTRUCTURED_MAGNITUDE_LOCAL,
        ratio=sparsity,
        examples_inputs=images,
    )
    taken = time.perf_counter() - started
    masks = [x for name, x in pruned.named_buffers() if name.endswith("binary_mask")]
    zeros = sum(int((x == 0).sum()) for x in masks)
    return {"seconds": taken, "weights": sum(x.numel() for x in masks), "zeros": zeros}


def build(architecture: str) -> nn.Module:
    """Build the network as the product does, for 32x32 images of ten classes."""
    torch.manual_seed(0)
    if architecture == "vgg11_cifar":
        found = importlib.util.spec_from_file_location("vgg", VGG)
        if found is None or found.loader is None:
            raise FileNotFoundError(VGG)
        vgg = importlib.util.module_from_spec(found)
        found.loader.exec_module(vgg)
        return vgg.vgg11_cifar(num_classes=10).eval()
    sized = {"img_size": 32} if architecture.startswith(("levit", "swin")) else {}
    return timm.create_model(architecture, num_classes=10, **sized).eval()


if __name__ == "__main__":
    main()
