"""What an architecture computes, as an ONNX graph: exported once, filled with any weights of it.

The graph takes pixels and normalizes them itself. Its initializers are named as the state dict:
nothing is folded into them, so that zeros stay where the mask has them and another member's weights
can take their place. ONNX Runtime folds batch norm into convolutions when it loads a file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import onnx
from onnx import helper, numpy_helper
from torch import Tensor, nn

from mixmatch.errors import CheckpointError, ConfigError
from mixmatch.records import ModelSpec
from tasks.onnx_files.exporter import INPUT, Weight, exported_model

# No name that torch gives has a slash in front of these.
_NORMALIZED = "images/normalized"
_CENTRED, _MEAN, _STD = "images/centred", "images/mean", "images/std"

_LARGEST_BYTES = 2**31 - 2**20  # protobuf's limit of 2 GiB, less room for the graph itself


@dataclass(frozen=True, slots=True)
class Graph:
    """A network without the values of its weights.

    Attributes:
        model: serialized ONNX model that lacks the initializers of ``weights``; maps ``images``,
            float32 (N, C, H, W) in [0, 1] with any N, to ``logits``, float32 (N, classes).
        weights: the float32 tensors that it needs, in the order of the state dict.
    """

    model: bytes
    weights: tuple[Weight, ...]


def graph_of(model: nn.Module, spec: ModelSpec) -> Graph:
    """Export what ``model``, which ``spec`` describes, computes in eval mode.

    Takes seconds, most of them for the size of the architecture. ``model`` and its mode are left
    as they are.

    Raises:
        ConfigError: torch cannot export the network; it may be a user's own.
    """
    found = exported_model(model, spec, _NORMALIZED)
    proto = onnx.ModelProto.FromString(found.model)
    _take_pixels(proto, spec)
    proto.producer_name, proto.producer_version = "mixmatch", version("mixmatch")
    return Graph(proto.SerializeToString(deterministic=True), found.weights)


def with_weights(
    graph: Graph, state: Mapping[str, Tensor], properties: Mapping[str, str] | None = None
) -> bytes:
    """Return the ONNX file of ``graph`` with the weights of ``state``; equal input, equal bytes.

    Takes a fraction of a second for 100 MB.

    Args:
        graph: of the same architecture.
        state: a state dict on the CPU; tensors that the graph does not read may be in it.
        properties: ``metadata_props`` of the file, by key.

    Raises:
        CheckpointError: a tensor is missing, or has another shape.
        ConfigError: the weights exceed what one ONNX file can hold.
    """
    _check_fits(graph, state)
    proto = onnx.ModelProto.FromString(graph.model)
    for weight in graph.weights:
        values = state[weight.name].detach().numpy()
        proto.graph.initializer.append(numpy_helper.from_array(values, weight.initializer))
    helper.set_model_props(proto, dict(properties or {}))
    content: bytes = proto.SerializeToString(deterministic=True)
    return content


def _take_pixels(proto: onnx.ModelProto, spec: ModelSpec) -> None:
    """Put the normalization in front, in place, and say what goes in and comes out."""
    graph = proto.graph
    first, result = graph.input[0], graph.output[0]
    first.name = INPUT
    first.doc_string = "Pixels, float32 in [0, 1], channels first; normalized inside."
    result.doc_string = "One score per class; softmax makes probabilities of them."
    mean, std = (np.array(x, np.float32).reshape(1, -1, 1, 1) for x in (spec.mean, spec.std))
    graph.initializer.append(numpy_helper.from_array(mean, _MEAN))
    graph.initializer.append(numpy_helper.from_array(std, _STD))
    graph.node.insert(0, helper.make_node("Sub", [INPUT, _MEAN], [_CENTRED], _CENTRED))
    graph.node.insert(1, helper.make_node("Div", [_CENTRED, _STD], [_NORMALIZED], _NORMALIZED))


def _check_fits(graph: Graph, state: Mapping[str, Tensor]) -> None:
    for weight in graph.weights:
        found = list(state[weight.name].shape) if weight.name in state else "none"
        if found != list(weight.shape):
            raise CheckpointError(
                f"Weights for this ONNX graph must hold {weight.name} of shape "
                f"{list(weight.shape)}, got {found}."
            )
    size_bytes = sum(state[weight.name].nbytes for weight in graph.weights)
    if size_bytes > _LARGEST_BYTES:
        raise ConfigError(
            f"An ONNX file must hold at most {_LARGEST_BYTES} bytes of weights, got {size_bytes}."
        )
