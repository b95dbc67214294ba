"""A pruned network as an MLflow model folder: code and a packed file, no pickle."""

import shutil
from importlib.metadata import version
from pathlib import Path

from mixmatch.records import ModelSpec
from tasks.tracking.connection import silence

PACKED_ARTIFACT = "packed"  # name under which MLflow hands the file to the served model

_CODE = Path(__file__).with_name("served_model.py")
_FILE = "network.packed"
_NEEDED = ("mixmatch", "mlflow", "torch", "timm", "numpy", "safetensors", "zstandard", "pydantic")


def write_model_folder(folder: Path, packed: Path, spec: ModelSpec, model_id: str) -> None:
    """Write an MLflow model into ``folder``, which must not exist yet.

    The signature states the output only: MLflow would enforce one input type, and the model takes
    two (uint8 NHWC, float NCHW). Both are described in the model's metadata.

    Args:
        packed: the network's packed file.
        spec: of that network.
        model_id: MLflow's identifier of the logged model that this becomes.
    """
    silence()
    import mlflow.pyfunc  # noqa: PLC0415  takes seconds
    from mlflow.models import Model  # noqa: PLC0415  takes seconds

    named = folder.with_name(_FILE)
    shutil.copyfile(packed, named)  # the store names files by digest alone
    mlflow.pyfunc.save_model(
        str(folder),
        python_model=str(_CODE),
        artifacts={PACKED_ARTIFACT: str(named)},
        mlflow_model=Model(model_id=model_id),
        signature=_signature(spec),
        pip_requirements=requirements(),
        metadata=_description(spec),
    )


def requirements() -> list[str]:
    """Return what a served model needs, pinned to what is installed, without local suffixes."""
    return [f"{name}=={version(name).split('+')[0]}" for name in _NEEDED]


def _signature(spec: ModelSpec) -> object:
    import numpy as np  # noqa: PLC0415  only needed with MLflow
    from mlflow.models import ModelSignature  # noqa: PLC0415  takes seconds
    from mlflow.types.schema import Schema, TensorSpec  # noqa: PLC0415  takes seconds

    probabilities = TensorSpec(np.dtype(np.float32), (-1, spec.num_classes), "probabilities")
    return ModelSignature(outputs=Schema([probabilities]))


def _description(spec: ModelSpec) -> dict[str, object]:
    height, width, channels = spec.image_shape
    return {
        "architecture": spec.architecture,
        "classes": list(spec.classes),
        "inputs": [
            {"dtype": "uint8", "shape": [-1, height, width, channels], "range": [0, 255]},
            {"dtype": "float32", "shape": [-1, channels, height, width], "range": [0, 1]},
        ],
    }
