"""Networks as ONNX files: exported by torch, quantized and run by ONNX Runtime. Nothing else does.

Import this package inside functions: it loads torch, onnx and onnxruntime, which take seconds.
"""

from tasks.onnx_files.agreement import check_agreement, measure_agreement
from tasks.onnx_files.graph import Graph, graph_of, with_weights
from tasks.onnx_files.images import evenly_spaced, pixels
from tasks.onnx_files.quantize import to_int8
from tasks.onnx_files.session import OnnxNetwork

__all__ = [
    "Graph",
    "OnnxNetwork",
    "check_agreement",
    "evenly_spaced",
    "graph_of",
    "measure_agreement",
    "pixels",
    "to_int8",
    "with_weights",
]
