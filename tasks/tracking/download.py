"""Networks fetched from MLflow, never through pickle: as weights for a run, or as they are."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mixmatch.digests import file_digest
from mixmatch.errors import ArtifactError, CheckpointError, RegistryError
from tasks.scratch import scratch_folder
from tasks.site import Site
from tasks.tracking.browse import find_version
from tasks.tracking.connection import connect_if_there
from tasks.tracking.model_folder import PACKED_ARTIFACT

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.models import Model
    from torch import Tensor

_LOGGED_MODEL = re.compile(r"models:/(m-[0-9a-f]+)")
_REGISTERED = re.compile(r"models:/([^/@]+(?:@[^/@]+|/\d+))")
_OF_RUN = re.compile(r"runs:/[^/]+/.+")
_WEIGHTS = (".safetensors", ".pt", ".pth", ".bin")


@dataclass(frozen=True, slots=True)
class RegisteredFile:
    """The packed file of a registered network, fetched and checked.

    Attributes:
        name: registered name.
        version: its number.
        digest: SHA-256 of the file, as it was registered.
        path: where it lies now.
    """

    name: str
    version: int
    digest: str
    path: Path


def download_weights(site: Site, uri: str, folder: Path) -> Path:
    """Fetch the weights behind an MLflow address as a file that ``read_state`` reads.

    Understood are, in this order: a network that mixmatch registered, a PyTorch model that MLflow
    saved in its pt2 format, and any folder or file with exactly one weights file in it.

    Args:
        uri: ``models:/NAME@alias``, ``models:/NAME/VERSION``, ``models:/m-ID``, ``runs:/ID/PATH``.
        folder: where the file is to lie; it must exist, and may hold other downloads.

    Returns:
        The file, named by the SHA-256 of its content.

    Raises:
        CheckpointError: the address cannot be read or holds no such weights.
        RegistryError: there is no such registered model, alias or version.
        ArtifactError: its packed file is another than was registered.
    """
    client = connect_if_there(site)
    if client is None:
        raise CheckpointError(f"{uri} must exist, but nothing is tracked in {site.workspace} yet.")
    registered = _REGISTERED.fullmatch(uri)
    tags = find_version(client, registered[1]).tags if registered else {}
    with scratch_folder(folder) as scratch:
        weights = _weights_in(_download(client, uri, scratch), uri, scratch, tags.get("digest"))
        # Several runs may fetch into one folder: a name has one content, whole or not at all.
        return weights.replace(folder / f"{file_digest(weights)}{weights.suffix}")


def download_packed(site: Site, reference: str, folder: Path) -> RegisteredFile:
    """Fetch the packed file of a registered network, byte for byte as it was registered.

    Args:
        site: where the registry is.
        reference: ``NAME`` (its newest version), ``NAME@alias`` or ``NAME/version``.
        folder: where the file is to lie; it must exist, and belongs to the caller.

    Raises:
        RegistryError: there is no such model, alias or version, or mixmatch did not register it.
        CheckpointError: the version's files cannot be read.
        ArtifactError: the packed file is missing, or is another than was registered.
    """
    client = connect_if_there(site)
    if client is None:
        raise RegistryError(
            f"The registered model {reference} must exist, but nothing is tracked in "
            f"{site.workspace} yet."
        )
    version = find_version(client, reference)
    uri = f"models:/{version.name}/{version.version}"
    place, expected = _download(client, uri, folder), version.tags.get("digest")
    packed = _packed_in(place, _model_in(place), uri)
    if packed is None or expected is None:
        raise RegistryError(
            f"{uri} must be a network that mixmatch registered, with its packed file and digest; "
            "it has none."
        )
    _check_registered(packed, expected, uri)
    return RegisteredFile(version.name, int(version.version), expected, packed)


def pinned_address(site: Site, uri: str) -> str:
    """Return ``uri`` with an alias replaced by the version that it points at now.

    Raises:
        RegistryError: there is no such registered model, alias or version.
    """
    client, match = connect_if_there(site), _REGISTERED.fullmatch(uri)
    if client is None or match is None or "@" not in match[1]:
        return uri
    version = find_version(client, match[1])
    return f"models:/{version.name}/{version.version}"


def _download(client: "MlflowClient", uri: str, scratch: Path) -> Path:
    from mlflow.artifacts import download_artifacts  # noqa: PLC0415  takes seconds
    from mlflow.exceptions import MlflowException  # noqa: PLC0415  takes seconds

    try:
        place = _location(client, uri)
        local = download_artifacts(
            artifact_uri=place, dst_path=str(scratch), tracking_uri=client.tracking_uri
        )
    except (MlflowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(f"{uri} must be an address that MLflow can read: {reason}") from error
    return Path(local)


def _location(client: "MlflowClient", uri: str) -> str:
    """Return where the files of ``uri`` lie; MLflow itself asks its process-wide address."""
    if match := _LOGGED_MODEL.fullmatch(uri):
        return str(client.get_logged_model(match[1]).artifact_location)
    if match := _REGISTERED.fullmatch(uri):
        version = find_version(client, match[1])
        return str(client.get_model_version_download_uri(version.name, version.version))
    if _OF_RUN.fullmatch(uri):
        return uri
    raise CheckpointError(
        "An MLflow address must be models:/NAME@alias, models:/NAME/VERSION, models:/m-ID or "
        f"runs:/ID/PATH, got {uri!r}."
    )


def _check_registered(packed: Path, expected: str, uri: str) -> None:
    found = file_digest(packed) if packed.is_file() else "nothing"
    if found != expected:
        raise ArtifactError(
            f"The packed file of {uri} must have the digest that it was registered with, "
            f"{expected}, found {found}."
        )


def _weights_in(place: Path, uri: str, scratch: Path, expected: str | None) -> Path:
    """Find the weights of an address; ``expected`` is the digest of a registered packed file."""
    model = _model_in(place)
    if packed := _packed_in(place, model, uri):
        if expected is not None:
            _check_registered(packed, expected, uri)
        return _unpacked(packed, scratch)
    if model is not None and "pytorch" in model.flavors:
        return _exported(place, model, uri, scratch)
    files = [place] if place.is_file() else sorted(place.rglob("*"))
    weights = [file for file in files if file.suffix in _WEIGHTS]
    if len(weights) != 1:
        found = [file.name for file in weights] or "none"
        raise CheckpointError(
            f"{uri} must hold exactly one file of type {', '.join(_WEIGHTS)}, found {found}."
        )
    return weights[0]


def _model_in(place: Path) -> "Model | None":
    """Return what MLflow says of a model folder; None where it is none."""
    from mlflow.models import Model  # noqa: PLC0415  takes seconds

    return Model.load(str(place)) if (place / "MLmodel").is_file() else None


def _packed_in(place: Path, model: "Model | None", uri: str) -> Path | None:
    """Return where the packed file of a model folder must lie; None where it names none."""
    flavors = model.flavors if model else {}
    artifacts = flavors.get("python_function", {}).get("artifacts", {})
    if PACKED_ARTIFACT not in artifacts:
        return None
    return _inside(place, artifacts[PACKED_ARTIFACT]["path"], uri)


def _inside(place: Path, relative: str, uri: str) -> Path:
    """Return a path that a model's own description names; it must not lead out of the model."""
    path = (place / relative).resolve()
    if not path.is_relative_to(place.resolve()):
        raise CheckpointError(f"{uri} must name files of its own only, got {relative!r}.")
    return path


def _unpacked(packed: Path, scratch: Path) -> Path:
    from mixmatch.packed import read_packed  # noqa: PLC0415  torch takes seconds

    content = read_packed(packed)
    normalization = {"mean": json.dumps(content.spec.mean), "std": json.dumps(content.spec.std)}
    return _save(content.state, scratch, normalization)


def _exported(place: Path, model: "Model", uri: str, scratch: Path) -> Path:
    """Take the state out of a torch.export archive; pickled modules are refused.

    MLflow would build the program, and that evaluates strings of the archive.
    """
    from mixmatch.exported import read_exported  # noqa: PLC0415  torch takes seconds

    # MLflow records the format nowhere else. A pickle or code of its own beside an export is a
    # model that MLflow itself would not read as one.
    flavor = model.flavors["pytorch"]
    data = _inside(place, flavor["model_data"], uri)
    runs_code = (data / "model.pth").exists() or (data / "pickle_module_info.txt").exists()
    if flavor.get("code") or runs_code or not (data / "model.pt2").is_file():
        raise CheckpointError(
            f"{uri} must be a model that was saved with serialization_format='pt2', not a pickle, "
            "which runs code when it is loaded; save it so, or log a .safetensors file."
        )
    return _save(read_exported(data / "model.pt2", source=uri), scratch)


def _save(
    state: "Mapping[str, Tensor]", scratch: Path, metadata: dict[str, str] | None = None
) -> Path:
    from safetensors.torch import save_file  # noqa: PLC0415  torch takes seconds

    file = scratch / "state.safetensors"
    tensors = {name: tensor.detach().clone().contiguous() for name, tensor in state.items()}
    save_file(tensors, file, metadata)
    return file
