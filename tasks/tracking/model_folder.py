"""A pruned network as an MLflow model folder: code and a packed file, no pickle.

The folder is written through MLflow's ``Model`` alone. ``mlflow.pyfunc.save_model`` would add the
version of cloudpickle and paths of this machine, and warn about the missing input type.
"""

import platform
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from mixmatch.records import ModelSpec
from tasks.tracking.connection import silence

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

PACKED_ARTIFACT = "packed"  # name under which MLflow hands the file to the served model

_CODE = Path(__file__).with_name("served_model.py")
_PACKED_FILE = "artifacts/network.packed"
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
    from mlflow.models import Model  # noqa: PLC0415  takes seconds

    (folder / _PACKED_FILE).parent.mkdir(parents=True)
    shutil.copyfile(packed, folder / _PACKED_FILE)
    shutil.copyfile(_CODE, folder / _CODE.name)
    (folder / "requirements.txt").write_text("".join(f"{line}\n" for line in requirements()))
    (folder / "python_env.yaml").write_text(yaml.safe_dump(_environment(), sort_keys=False))
    model = Model(
        model_id=model_id,
        signature=_signature(spec),
        metadata=_description(spec),
        model_size_bytes=packed.stat().st_size,
    )
    model.add_flavor(
        "python_function",
        loader_module="mlflow.pyfunc.loaders.code_model",
        model_code_path=_CODE.name,
        artifacts={PACKED_ARTIFACT: {"path": _PACKED_FILE, "uri": _PACKED_FILE}},
        env={"virtualenv": "python_env.yaml"},
        python_version=platform.python_version(),
        streamable=False,
    )
    model.save(str(folder / "MLmodel"))


def requirements() -> list[str]:
    """Return what a served model needs, pinned to what is installed, without local suffixes."""
    return [f"{name}=={version(name).split('+')[0]}" for name in _NEEDED]


def _environment() -> dict[str, object]:
    return {
        "python": platform.python_version(),
        "build_dependencies": ["pip", "setuptools", "wheel"],
        "dependencies": ["-r requirements.txt"],
    }


def _signature(spec: ModelSpec) -> "ModelSignature":
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
