"""A member with int8 weights: its packed file, and what it still gets right."""

import time
from pathlib import Path

import torch
from torch import nn

from mixmatch.execution import computing
from mixmatch.layers import prunable_layers
from mixmatch.masks import count_nonzero
from mixmatch.packed import load_packed, save_packed
from mixmatch.records import Accuracy, Artifact, ModelSpec, QuantizedRecord
from tasks.factory import factory_of
from tasks.jobs import QuantizeJob
from tasks.networks import accuracy_of, open_split
from tasks.progress import ProgressWriter
from tasks.site import Site
from tasks.store import Store


def compute(job: QuantizeJob, site: Site, label: str) -> QuantizedRecord:
    """Run the whole job; that it runs is told in the site's folder under ``label``.

    What is counted and evaluated is the network that the stored int8 file gives back.
    """
    store, started = site.open_store(), time.monotonic()
    progress = ProgressWriter(Path(site.progress), label) if site.progress else None
    with computing(job.execution) as device:
        artifact = _rounded(job, store)
        model = _open(store, artifact, job.spec).to(device)
        validation = _accuracy(job, model, store, "validation")
        test = _accuracy(job, model, store, "test")
    if progress:
        progress.finish()
    layers = prunable_layers(model)
    num_weights = sum(layer.num_weights for layer in layers)
    num_nonzero = sum(count_nonzero(model, layers).values())
    return QuantizedRecord(
        artifact=artifact,
        num_nonzero=num_nonzero,
        sparsity=(num_weights - num_nonzero) / num_weights,
        validation=validation,
        test=test,
        seconds=time.monotonic() - started,
    )


def _rounded(job: QuantizeJob, store: Store) -> Artifact:
    """Write the member's packed file anew with int8 values."""
    member = _open(store, job.member, job.spec)
    with store.scratch() as folder:
        save_packed(folder / "int8.safetensors", member, job.spec, values="int8")
        return store.put(folder / "int8.safetensors")


def _open(store: Store, packed: Artifact, spec: ModelSpec) -> nn.Module:
    """Build the network of a packed file, in the memory format in which members are evaluated."""
    model = load_packed(store.path(packed), factory=factory_of(spec))
    return model.to(memory_format=torch.channels_last)


def _accuracy(job: QuantizeJob, model: nn.Module, store: Store, split: str) -> Accuracy:
    images = open_split(store, job.data, split, job.execution.device)
    return accuracy_of(model, images, job.spec, job.execution)
