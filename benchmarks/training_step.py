"""One masked training step beside the same dense one, and beside torch's reparametrised pruning."""

import copy
import time

import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from benchmarks.authors_way import spec_of
from benchmarks.ratios import Comparison
from mixmatch.enforcement import MaskEnforcer
from mixmatch.execution import autocast_of, fast_convolutions, resolve_execution
from mixmatch.layers import prunable_layers, weights_of
from mixmatch.masks import apply_masks_, keep_masks
from mixmatch.models import build_model
from mixmatch.optimizers import optimizer_for
from mixmatch.training import cross_entropy

BATCH = 128
SPARSITY = 0.8
STEPS = 1  # in one timing


class Step:
    """Training steps of one network on one batch, as ``mixmatch.training`` does them."""

    def __init__(self, model: nn.Module, masks: dict[str, Tensor] | None = None) -> None:
        """Take over ``model``; masks are enforced after every step."""
        self._model = model.train()
        self._execution = resolve_execution(device="cpu", precision="auto", threads=1)
        self._loss = cross_entropy(autocast_of(self._execution))
        self._optimizer = optimizer_for(model, "adam", learning_rate=1e-5, weight_decay=0.0)
        self._enforce = MaskEnforcer(model, masks, self._optimizer) if masks else None
        images = torch.randn(BATCH, 3, 32, 32)
        self._images = images.to(memory_format=torch.channels_last)
        self._labels = torch.arange(BATCH) % 10

    def __call__(self) -> float:
        """Run the steps on one thread; seconds for one."""
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        started = time.perf_counter()
        with fast_convolutions(self._model, self._execution):
            for _ in range(STEPS):
                self._optimizer.zero_grad(set_to_none=True)
                torch.autograd.backward(self._loss(self._model, self._images, self._labels))
                self._optimizer.step()
                if self._enforce is not None:
                    self._enforce()
        taken = time.perf_counter() - started
        torch.set_num_threads(threads)
        return taken / STEPS


def comparisons(architecture: str) -> tuple[Comparison, ...]:
    """Compare on one network at 32x32, batch 128, one thread, Adam, as members are trained."""
    torch.manual_seed(0)
    dense = build_model(spec_of(architecture)).to(memory_format=torch.channels_last)
    masked, reparametrised = copy.deepcopy(dense), copy.deepcopy(dense)
    layers = prunable_layers(masked)
    weights = {name: x.detach() for name, x in weights_of(masked, layers).items()}
    counts = {name: round(SPARSITY * x.numel()) for name, x in weights.items()}
    masks = keep_masks({name: x.abs() for name, x in weights.items()}, counts)
    apply_masks_(masked, masks)
    for name, mask in masks.items():
        prune.custom_from_mask(reparametrised.get_submodule(name), "weight", mask)
    ours = Step(masked, masks)
    work = f"masked training step, {architecture}"
    return (
        Comparison(
            f"step/dense/{architecture}", work, "the same dense step", 1 / 1.03, ours, Step(dense)
        ),
        Comparison(
            f"step/prune/{architecture}",
            work,
            "`torch.nn.utils.prune`'s reparametrised step",
            1.0,
            ours,
            Step(reparametrised),
        ),
    )
