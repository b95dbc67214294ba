"""A pruned network as an MLflow model folder: code and a packed file, no pickle.

The folder is written through MLflow's ``Model`` alone. ``mlflow.pyfunc.save_model`` would add the
version of cloudpickle and paths of this machine, and warn about the missing input type.

A user's own network brings the source file of its factory's module along. That is enough where this
file imports installed packages only. Not covered: other files of the user's own that it imports,
which must be installed where the model is served; a package's ``__init__.py`` and a module with
relative imports, which cannot stand alone, so that their package must be installed there as a whole
and in the same version; and packages beyond those of ``requirements.txt``.
"""

import ast
import platform
import shutil
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from mixmatch.records import ModelSpec
from tasks.factory import is_factory, module_source
from tasks.tracking.connection import silence

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

# Names under which MLflow hands files to the served model.
PACKED_ARTIFACT = "packed"
CODE_ARTIFACT = "factory"

_CODE = Path(__file__).with_name("served_model.py")
_PACKED_FILE = "artifacts/network.packed"
_CODE_FOLDER = "code"
_NEEDED = ("mixmatch", "mlflow", "torch", "timm", "numpy", "safetensors", "zstandard", "pydantic")


def write_model_folder(
    folder: Path,
    packed: Path,
    spec: ModelSpec,
    model_id: str,
    beside: Mapping[str, bytes] | None = None,
) -> None:
    """Write an MLflow model into ``folder``, which must not exist yet.

    The signature states the output only: MLflow would enforce one input type, and the model takes
    two (uint8 NHWC, float NCHW). Both are described in the model's metadata.

    Args:
        packed: the network's packed file.
        spec: of that network.
        model_id: MLflow's identifier of the logged model that this becomes.
        beside: content of further files by name, to lie beside the packed file.

    Raises:
        ConfigError: the source of the network's own factory is gone, or is another by now.
    """
    silence()
    from mlflow.models import Model  # noqa: PLC0415  takes seconds

    (folder / _PACKED_FILE).parent.mkdir(parents=True)
    shutil.copyfile(packed, folder / _PACKED_FILE)
    for name, content in (beside or {}).items():
        (folder / _PACKED_FILE).with_name(name).write_bytes(content)
    shutil.copyfile(_CODE, folder / _CODE.name)
    artifacts = {PACKED_ARTIFACT: _PACKED_FILE, **_carried_code(folder, spec)}
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
        artifacts={name: {"path": path, "uri": path} for name, path in artifacts.items()},
        env={"virtualenv": "python_env.yaml"},
        python_version=platform.python_version(),
        streamable=False,
    )
    model.save(str(folder / "MLmodel"))


def requirements() -> list[str]:
    """Return what a served model needs, pinned to what is installed, without local suffixes."""
    return [f"{name}=={version(name).split('+')[0]}" for name in _NEEDED]


def _carried_code(folder: Path, spec: ModelSpec) -> dict[str, str]:
    """Copy the source of a user's own network into ``folder``, if it can stand alone."""
    if not is_factory(spec.architecture):
        return {}
    source = module_source(spec)
    if source.path.name == "__init__.py" or _imports_relatively(source.content):
        return {}
    place = f"{_CODE_FOLDER}/{source.path.name}"
    (folder / place).parent.mkdir()
    (folder / place).write_bytes(source.content)
    return {CODE_ARTIFACT: place}


def _imports_relatively(source: bytes) -> bool:
    return any(isinstance(x, ast.ImportFrom) and x.level for x in ast.walk(ast.parse(source)))


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
