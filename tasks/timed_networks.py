"""Stored networks, opened in every runtime in which their latency is measured.

To add a runtime: write how it opens a network and what images it takes, and add it to ``runtimes``.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mixmatch.checkpoints import read_state
from mixmatch.images import ImageSet
from mixmatch.packed import load_packed, read_packed
from mixmatch.records import Artifact
from mixmatch.sparse_linear import sparse_candidates, sparsify_linears_
from tasks.factory import factory_of
from tasks.jobs import LatencyJob
from tasks.networks import open_network, preprocessing_of
from tasks.store import Store

# Of the calibration images: ranges decide what an int8 network answers, not how long it takes.
_NUM_FOR_RANGES = 8

Network = Callable[[Any], object]  # takes a batch as its runtime prepares it


@dataclass(frozen=True, slots=True)
class Runtime:
    """One way to run networks.

    Attributes:
        prepare: makes of uint8 images (B, H, W, C) what its networks take.
        open: reads a stored network; returns it by the name that a ``Timing`` gives the runtime,
            under several names where it can be run in several ways.
    """

    prepare: Callable[[Tensor], Any]
    open: Callable[[Artifact], dict[str, Network]]


def runtimes(job: LatencyJob, store: Store, calibration: ImageSet) -> tuple[Runtime, ...]:
    """Return PyTorch, ONNX Runtime in float32 and ONNX Runtime in int8, in this order.

    The network's graph is exported here, once for all that will be opened.

    Raises:
        ConfigError: the network cannot be exported to ONNX.
    """
    from tasks.onnx_files import (  # noqa: PLC0415  loads onnx and onnxruntime
        OnnxNetwork,
        evenly_spaced,
        graph_of,
        pixels,
        to_int8,
        with_weights,
    )

    ranges = pixels(evenly_spaced(calibration, _NUM_FOR_RANGES).images[:])
    graph = graph_of(open_network(store, job.base, job.spec), job.spec)

    def filled(weights: Artifact) -> bytes:
        return with_weights(graph, _state(job, store, weights))

    def by_torch(weights: Artifact) -> dict[str, Network]:
        return _in_torch(_model(job, store, weights))

    def by_onnx(weights: Artifact) -> dict[str, Network]:
        return {"onnx": OnnxNetwork(filled(weights), threads=job.threads)}

    def by_int8(weights: Artifact) -> dict[str, Network]:
        whole = to_int8(filled(weights), ranges)
        return {"onnx-int8": OnnxNetwork(whole, threads=job.threads)}

    prepare = preprocessing_of(job.spec)
    return Runtime(prepare, by_torch), Runtime(pixels, by_onnx), Runtime(pixels, by_int8)


def _in_torch(model: nn.Module) -> dict[str, Network]:
    """Return ``model``, and beside it one with sparse linear layers where any gains from them."""
    if not sparse_candidates(model):
        return {"torch": model}
    sparse = copy.deepcopy(model)
    sparsify_linears_(sparse)
    return {"torch": model, "torch-sparse": sparse}


def _model(job: LatencyJob, store: Store, weights: Artifact) -> nn.Module:
    """Build a network as it is evaluated: in eval mode, channels-last, on the CPU."""
    if weights == job.base:
        return open_network(store, weights, job.spec)
    model = load_packed(store.path(weights), factory=factory_of(job.spec))
    return model.to(memory_format=torch.channels_last)


def _state(job: LatencyJob, store: Store, weights: Artifact) -> dict[str, Tensor]:
    path = store.path(weights)
    return read_state(path) if weights == job.base else read_packed(path).state
