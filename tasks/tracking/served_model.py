"""The registered model, as MLflow runs it: this file is copied beside the packed network.

Predicts class probabilities from images. The preprocessing comes from the packed file, and a user's
own network from the source file that is stored beside it.
"""

import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import mlflow
import numpy as np
import torch
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from torch import Tensor, nn

from mixmatch.digests import file_digest
from mixmatch.errors import ConfigError, DataError
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
        self.spec = read_header(packed).spec
        self.model = load_packed(packed, factory=_factory(self.spec, context))

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


def _factory(spec: ModelSpec, context: PythonModelContext) -> Callable[..., nn.Module] | None:
    """Find the constructor of a user's own network; None where the network is a known one."""
    name, is_own, attribute = spec.architecture.partition(":")
    if not is_own:
        return None
    stored = context.artifacts.get("factory")
    try:
        source = Path(stored) if stored else _installed(name)
        _check_digest(spec, source)
        module = _stored_module(source) if stored else import_module(name)
        factory: Callable[..., nn.Module] = getattr(module, attribute)
    except (ImportError, AttributeError, SyntaxError) as error:
        raise ConfigError(
            f"The network {spec.architecture} must be built by code that is stored beside this "
            f"model or installed here: {error}."
        ) from error
    return factory


def _installed(name: str) -> Path:
    found = find_spec(name)
    if found is None or found.origin is None:
        raise ImportError(f"there is no module {name}")
    return Path(found.origin)


def _check_digest(spec: ModelSpec, source: Path) -> None:
    if spec.code_digest != (found := file_digest(source)):
        raise ConfigError(
            f"The network {spec.architecture} must be built by the code that it was pruned with, "
            f"of digest {spec.code_digest}, but {source.name} has {found}."
        )


def _stored_module(source: Path) -> ModuleType:
    """Import a source file under a name of its content: two models' files may be called alike."""
    name = f"mixmatch_network_{file_digest(source)}"
    if name not in sys.modules:
        module = ModuleType(name)
        module.__file__ = str(source)
        sys.modules[name] = module  # dataclasses look their module up there
        try:
            # Not by a loader, which would write bytecode into the model's folder.
            exec(compile(source.read_bytes(), source, "exec"), module.__dict__)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]


# MLflow asks code that it runs to name its model so.
mlflow.models.set_model(ServedModel())
