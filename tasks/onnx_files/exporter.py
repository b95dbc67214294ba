"""torch's ONNX exporter, kept from folding weights and from leaving traces of this machine."""

import copy
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import onnx
import torch
from onnx import ModelProto
from onnxscript import ir, optimizer
from torch import Tensor, nn

from mixmatch.errors import ConfigError
from mixmatch.records import ModelSpec

INPUT, OUTPUT = "images", "logits"

_EXAMPLES = 2  # with one, torch would take the batch for fixed
_UNKNOWN = "weights/"  # before a name that is not free


@dataclass(frozen=True, slots=True)
class Weight:
    """A tensor that an exported network reads and that can be exchanged.

    Attributes:
        name: in the state dict.
        initializer: in the ONNX model, the same unless something else there is called so.
        shape: sizes of its dimensions.
    """

    name: str
    initializer: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ExportedModel:
    """What torch made of a network.

    Attributes:
        model: serialized ONNX model that lacks the initializers of ``weights``.
        weights: in the order of the state dict.
    """

    model: bytes
    weights: tuple[Weight, ...]


def exported_model(model: nn.Module, spec: ModelSpec, input_name: str) -> ExportedModel:
    """Export ``model`` in eval mode, with a free batch size; see ``graph_of``.

    It takes normalized images by ``input_name``, and leaves the name ``images`` free.

    Raises:
        ConfigError: torch cannot export it.
    """
    program = _export(_fresh_copy(model), spec, input_name)
    weights = _without_weights(program.model, model.state_dict())
    proto = ir.to_proto(program.model)
    _forget_traces(proto)
    onnx.checker.check_model(_declared(proto, weights))
    return ExportedModel(proto.SerializeToString(deterministic=True), weights)


def _fresh_copy(model: nn.Module) -> nn.Module:
    """Copy ``model`` without what it has cached, which the export would take for a constant.

    timm's LeViT caches its attention biases in eval mode until train() is called.
    """
    return copy.deepcopy(model).cpu().train().eval()


def _export(model: nn.Module, spec: ModelSpec, input_name: str) -> "torch.onnx.ONNXProgram":
    height, width, channels = spec.image_shape
    images = torch.zeros(_EXAMPLES, channels, height, width)
    try:
        with _harmless_warnings():
            program = torch.onnx.export(
                model,
                (images,),
                dynamo=True,
                input_names=[input_name],
                output_names=[OUTPUT],
                dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
                optimize=False,  # it would fold weights
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        cause = error.__cause__ or error
        reason = (str(cause).strip().splitlines() or [type(cause).__name__])[0]
        raise ConfigError(
            f"--format onnx needs a network that torch can export for any batch size, got "
            f"{spec.architecture}: {reason}."
        ) from error
    if program is None:
        raise TypeError("torch.onnx.export must return a program where it writes no file")
    return program


@contextmanager
def _harmless_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        # LeViT's caches again: they are attributes of the copy, which nobody uses afterwards.
        warnings.filterwarnings("ignore", r"The tensor attributes? .* assigned during export")
        yield


def _without_weights(model: ir.Model, state: Mapping[str, Tensor]) -> tuple[Weight, ...]:
    """Simplify ``model`` with its weights as unknowns, and take them out.

    Args:
        model: changed in place.
        state: of the network; tensors that the model does not read are passed over.
    """
    graph = model.graph
    unknown = {x: graph.initializers.pop(x) for x in state if x in graph.initializers}
    for name, value in unknown.items():
        value.const_value = None
        value.name = f"{_UNKNOWN}{name}"  # a parameter may be called as an operation is
        graph.inputs.append(value)
    optimizer.optimize(model)
    for value in unknown.values():
        graph.inputs.remove(value)
    taken = {INPUT, *graph.initializers, *(x.name for x in graph.inputs)}
    taken |= {output.name for node in graph for output in node.outputs}
    for name, value in unknown.items():
        value.name = f"{_UNKNOWN}{name}" if name in taken else name
    return tuple(
        Weight(name, str(value.name), tuple(state[name].shape)) for name, value in unknown.items()
    )


def _forget_traces(proto: ModelProto) -> None:
    """Remove source lines and paths of this machine, and shapes that anybody can infer."""
    del proto.graph.value_info[:]
    del proto.metadata_props[:], proto.graph.metadata_props[:]
    for part in (*proto.graph.node, *proto.graph.input, *proto.graph.output):
        del part.metadata_props[:]
        part.doc_string = ""


def _declared(proto: ModelProto, weights: tuple[Weight, ...]) -> ModelProto:
    """Return a copy with the missing weights as inputs, as the checker wants them."""
    whole = ModelProto()
    whole.CopyFrom(proto)
    whole.graph.input.extend(
        onnx.helper.make_tensor_value_info(x.initializer, onnx.TensorProto.FLOAT, x.shape)
        for x in weights
    )
    return whole
