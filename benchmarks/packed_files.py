"""Sizes of packed networks, and time to write and read them, against the dense file.

    python benchmarks/packed_files.py NETWORK.packed ...

Beside each network the table has its dense safetensors file, the same compressed by zstandard at
level 3 (what a user gets who zips a pruned network), every kind of values, and the order-0 entropy
of the prunable weights' masks and values, which no coder of single symbols can beat. Timings are
interleaved, with files in the page cache: what a user waits for between a network and its file.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
import zstandard
from safetensors.torch import load, save
from torch import Tensor, nn

from mixmatch.layers import prunable_layers, weight_of
from mixmatch.models import build_model
from mixmatch.packed import load_packed, read_header, save_packed
from mixmatch.packed.entropy import mask_bound_bits, values_bound_bits
from mixmatch.quantization import VALUE_KINDS, quantize
from mixmatch.records import ModelSpec
from tasks.study.machine import Machine

ROUNDS = 7
MEGABYTE = 1_000_000


def main() -> None:
    """Measure every file that the command line names, and print two tables."""
    machine, torch_threads = Machine.here(), torch.get_num_threads()
    print(f"{machine.hardware}, {torch_threads} threads; torch {machine.versions['torch']}\n")
    print("| network | sparsity | dense, MB | zstd -3, MB | " + " | ".join(VALUE_KINDS) + " |")
    print("|---|---|---|---|" + "---|" * len(VALUE_KINDS))
    networks = {name: load_packed(Path(name)) for name in sys.argv[1:]}
    specs = {name: read_header(Path(name)).spec for name in networks}
    for name, model in networks.items():
        print(sizes_row(model, specs[name]), flush=True)
    print(
        "\n| network | save packed, s | save dense + zstd -3, s | load packed, s | load both, s |"
    )
    print("|---|---|---|---|---|")
    for name, model in networks.items():
        print(times_row(model, specs[name]), flush=True)


def sizes_row(model: nn.Module, spec: ModelSpec) -> str:
    """Return the sizes of one network; in brackets the distance to the entropy bound."""
    dense = save(contiguous(model.state_dict()))
    zipped = zstandard.ZstdCompressor(level=3).compress(dense)
    cells = [f"{len(dense) / MEGABYTE:.2f}", f"{len(zipped) / MEGABYTE:.2f}"]
    with tempfile.TemporaryDirectory() as folder:
        for kind in VALUE_KINDS:
            path = Path(folder) / kind
            save_packed(path, model, spec, values=kind)
            size, bound = path.stat().st_size, bound_bytes(model, kind)
            cells.append(f"{size / MEGABYTE:.3f} ({size / bound - 1:+.2%})")
    return f"| {spec.architecture} | {sparsity_of(model):.4f} | " + " | ".join(cells) + " |"


def bound_bytes(model: nn.Module, kind: str) -> float:
    """Return the entropy of masks and values of all prunable weights, and the bytes of the rest.

    The rest (biases, normalization, tables) counts as it is in memory: it is stored without loss.
    """
    bits = 0.0
    weights = [weight_of(model, layer.name).detach() for layer in prunable_layers(model)]
    for weight in weights:
        entries = quantize(weight)[0] if kind == "int8" else weight
        kept = entries[entries != 0]
        values = kept if kind in {"int8", "float32"} else kept.to(getattr(torch, kind))
        stored = values.view(torch.int16) if values.itemsize == 2 else values
        bits += mask_bound_bits(entries.numel(), kept.numel())
        bits += values_bound_bits(stored.numpy().view(f"V{values.itemsize}"), kind)
    scales = 4 * sum(len(weight) for weight in weights) if kind == "int8" else 0
    everything = sum(x.numel() * x.itemsize for x in model.state_dict().values())
    return bits / 8 + scales + everything - 4 * sum(weight.numel() for weight in weights)


def times_row(model: nn.Module, spec: ModelSpec) -> str:
    """Return the times of saving and loading one network, medians and ranges of the rounds."""
    with tempfile.TemporaryDirectory() as folder:
        packed, zipped = Path(folder) / "packed", Path(folder) / "zipped"
        times = interleaved(
            lambda: save_packed(packed, model, spec),
            lambda: save_zipped(zipped, model),
            lambda: load_packed(packed),
            lambda: load_zipped(zipped, spec),
        )
    cells = [f"{statistics.median(x):.2f} ({min(x):.2f}-{max(x):.2f})" for x in times]
    return f"| {spec.architecture} | " + " | ".join(cells) + " |"


def interleaved(*works: Callable[[], object]) -> list[list[float]]:
    """Run all works in turn, once to warm up and ``ROUNDS`` times timed; return the seconds."""
    seconds: list[list[float]] = [[] for _ in works]
    for number in range(ROUNDS + 1):
        for work, measured in zip(works, seconds, strict=True):
            started = time.perf_counter()
            work()
            if number:
                measured.append(time.perf_counter() - started)
    return seconds


def save_zipped(path: Path, model: nn.Module) -> None:
    """Write the dense state as safetensors, compressed."""
    dense = save(contiguous(model.state_dict()))
    path.write_bytes(zstandard.ZstdCompressor(level=3).compress(dense))


def load_zipped(path: Path, spec: ModelSpec) -> nn.Module:
    """Read what ``save_zipped`` wrote into a network, built without random weights as packed is."""
    state = load(zstandard.ZstdDecompressor().decompress(path.read_bytes()))
    with torch.device("meta"):
        model = build_model(spec)
    model.load_state_dict(state, assign=True)
    return model.eval()


def contiguous(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the state as safetensors wants it."""
    return {name: tensor.contiguous() for name, tensor in state.items()}


def sparsity_of(model: nn.Module) -> float:
    """Return zeros among prunable weights, counted, a fraction."""
    weights = [weight_of(model, layer.name) for layer in prunable_layers(model)]
    return 1 - sum(int(x.count_nonzero()) for x in weights) / sum(x.numel() for x in weights)


if __name__ == "__main__":
    main()
