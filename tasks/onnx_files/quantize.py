"""Static int8 by ONNX Runtime's own quantizer, with ranges from calibration images.

Shape suffixes: N images, C channels, H height, W width.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.quant_utils import add_pre_process_metadata

from mixmatch.errors import ConfigError
from tasks.onnx_files.exporter import INPUT

# Where int8 pays: products with weights, and what may stand between two of them. The rest stays in
# float32, residual sums and the attention's own products among it; per-channel scales fit nothing
# that has one dimension.
_QUANTIZED = ("Conv", "Gemm", "MatMul", "Relu", "Clip", "MaxPool")

_BATCH = 32
_ERRORS_ONLY = 3


def to_int8(model: bytes, images_NCHW: NDArray[np.float32]) -> bytes:
    """Quantize an ONNX file of ``with_weights``: int8 weights per channel, uint8 activations.

    Written as QuantizeLinear and DequantizeLinear nodes (QDQ). Weights are symmetric, so that zeros
    stay zero, and of 7 bits, [-64, 64]: x86 processors without VNNI add up pairs of products in 16
    bits, which 8-bit weights overflow. Batch norm is folded into convolutions before. Takes seconds
    to a minute.

    Args:
        model: the file's content; its properties are kept.
        images_NCHW: calibration images, never of the test split, as ``pixels`` returns them; the
            extremes of each activation over all of them become its range.

    Raises:
        ConfigError: there is no image.
    """
    if len(images_NCHW) == 0:
        raise ConfigError("Calibration for int8 must read at least one image, got none.")
    with tempfile.TemporaryDirectory(prefix="mixmatch-") as scratch:
        simple, quantized = Path(scratch, "simple.onnx"), Path(scratch, "quantized.onnx")
        names = _simplify(model, simple)
        quantize_static(
            simple,
            quantized,
            _Images(images_NCHW),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(_QUANTIZED),
            nodes_to_exclude=names,
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
            activation_type=QuantType.QUInt8,
        )
        return _finished(onnx.load(quantized), model)


class _Images(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime is untyped
    """Hands images to the calibration, batch by batch."""

    def __init__(self, images_NCHW: NDArray[np.float32]) -> None:
        self._batches = _batches(images_NCHW)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        return next(self._batches, None)


def _batches(images_NCHW: NDArray[np.float32]) -> Iterator[dict[str, NDArray[np.float32]]]:
    for start in range(0, len(images_NCHW), _BATCH):
        yield {INPUT: images_NCHW[start : start + _BATCH]}


def _simplify(model: bytes, to: Path) -> list[str]:
    """Fold constants and batch norm as the quantizer wants it; name what it must leave alone.

    ``onnxruntime.quantization.quant_pre_process`` does the same, but only logs what goes wrong.
    """
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(to)
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = _ERRORS_ONLY
    onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    proto = onnx.shape_inference.infer_shapes(onnx.load(to), strict_mode=True)
    add_pre_process_metadata(proto)  # else the quantizer asks for what was just done
    onnx.save(proto, to)
    weights = {tensor.name for tensor in proto.graph.initializer}
    products = (node for node in proto.graph.node if node.op_type == "MatMul")
    return [node.name for node in products if weights.isdisjoint(node.input)]


def _finished(quantized: onnx.ModelProto, original: bytes) -> bytes:
    """Give the file the properties of the original, and only the operator sets that it uses."""
    described = onnx.ModelProto.FromString(original)
    used = {node.domain for node in quantized.graph.node}
    kept = [entry for entry in quantized.opset_import if entry.domain in used]
    del quantized.opset_import[:], quantized.metadata_props[:], quantized.graph.value_info[:]
    quantized.opset_import.extend(kept)
    quantized.metadata_props.extend(described.metadata_props)
    quantized.producer_name = described.producer_name
    quantized.producer_version = described.producer_version
    quantized.graph.input[0].doc_string = described.graph.input[0].doc_string
    quantized.graph.output[0].doc_string = described.graph.output[0].doc_string
    onnx.checker.check_model(quantized)
    content: bytes = quantized.SerializeToString(deterministic=True)
    return content
