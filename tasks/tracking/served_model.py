"""The registered model, as MLflow runs it: this file is copied beside the packed network.

Predicts class probabilities from images. The preprocessing comes from the packed file.
"""

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import torch
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from torch import Tensor, nn

from mixmatch.errors import DataError
from mixmatch.images import Preprocessing
from mixmatch.packed import load_packed, read_header
from mixmatch.records import ModelSpec

_BATCH = 256  # images at a time, which bounds the memory of a large request
_INTEGERS = "iu"  # kinds of NumPy dtypes; a JSON request brings int64


class ServedModel(PythonModel):
    """A pruned image classifier.

    Attributes:
        model: the network, in eval mode.
        spec: how it was built, how images are prepared, and the class names.
    """

    model: nn.Module
    spec: ModelSpec

    def load_context(self, context: PythonModelContext) -> None:
        """Build the network from the packed file that is stored beside this code."""
        packed = Path(context.artifacts["packed"])
        self.model = load_packed(packed)
        self.spec = read_header(packed).spec

    def predict(
        self,
        context: PythonModelContext,
        model_input: np.ndarray,
        params: dict[str, Any] | None = None,
    ) -> np.ndarray:
        """Return class probabilities, float32 of shape (N, classes).

        Args:
            model_input: images, integers 0 to 255 of shape (N, H, W, C), or floats in [0, 1] of
                shape (N, C, H, W). Preprocessing is applied to both.
            context: not used; ``load_context`` has read it.
            params: not used.

        Raises:
            DataError: the array has another shape, kind or range.
        """
        del context, params  # part of MLflow's interface
        images = np.asarray(model_input)
        self._check(images)
        device = next(self.model.parameters()).device
        with torch.inference_mode():
            parts = [
                self.model(self._prepare(images[start : start + _BATCH]).to(device)).softmax(dim=1)
                for start in range(0, len(images), _BATCH)
            ]
        return torch.cat(parts).float().cpu().numpy()

    def _check(self, images: np.ndarray) -> None:
        height, width, channels = self.spec.image_shape
        if images.dtype.kind in _INTEGERS:
            shape, high = (height, width, channels), 255
        elif images.dtype.kind == "f":
            shape, high = (channels, height, width), 1
        else:
            raise DataError(
                f"Images must be integers 0 to 255 or floats in [0, 1], got {images.dtype}."
            )
        if images.ndim != 4 or images.shape[1:] != shape or len(images) == 0:
            sides = ", ".join(str(side) for side in shape)
            raise DataError(
                f"Images of type {images.dtype} must have the shape (N, {sides}), N at least 1, "
                f"got {images.shape}."
            )
        low_found, high_found = images.min(), images.max()
        if not (low_found >= 0 and high_found <= high):  # written so that NaN is refused
            raise DataError(
                f"Images of type {images.dtype} must lie in [0, {high}], "
                f"got values from {low_found} to {high_found}."
            )

    def _prepare(self, images: np.ndarray) -> Tensor:
        if images.dtype.kind in _INTEGERS:
            pixels = torch.from_numpy(images.astype(np.uint8))
            return Preprocessing(self.spec.mean, self.spec.std)(pixels)
        mean, std = (torch.tensor(x).view(1, -1, 1, 1) for x in (self.spec.mean, self.spec.std))
        fractions = torch.from_numpy(images.astype(np.float32))
        return ((fractions - mean) / std).contiguous(memory_format=torch.channels_last)


# MLflow asks code that it runs to name its model so.
mlflow.models.set_model(ServedModel())
