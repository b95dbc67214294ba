"""Run ONNX networks on the CPU by ONNX Runtime.

Shape suffixes: B batch, C channels, H height, W width.
"""

from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from tasks.onnx_files.exporter import INPUT, OUTPUT

_ERRORS_ONLY = 3


class OnnxNetwork:
    """A network of an ONNX file, ready to run."""

    def __init__(self, model: bytes | Path, *, threads: int) -> None:
        """Load ``model``, the content of a file or the file, to run with that many threads."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY  # warnings tell of slow nodes on each load
        source = str(model) if isinstance(model, Path) else model
        self._session = onnxruntime.InferenceSession(
            source, options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, images_BCHW: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the logits, shape (B, classes), of pixels in [0, 1]."""
        logits: NDArray[np.float32] = self._session.run([OUTPUT], {INPUT: images_BCHW})[0]
        return logits
