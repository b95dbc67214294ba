"""Where the base network's trained weights come from: a file, an object, timm, or the registry."""

import json
from pathlib import Path

from mixmatch.config import ModelSettings
from mixmatch.digests import file_digest, json_digest
from mixmatch.errors import CheckpointError, StorageError
from mixmatch.records import Record
from mixmatch.s3_address import S3Address, is_s3
from tasks.site import Site

PRETRAINED = "timm"
_REGISTRY_PREFIXES = ("models:/", "runs:/")
_ALLOWED = (
    "an existing .safetensors, .pt or .pth file, here or at s3://BUCKET/KEY, "
    "models:/NAME@alias, or timm"
)


class LocatedCheckpoint(Record):
    """Trained weights that were found, before they are read.

    Attributes:
        label: what the base record calls its source.
        digest: SHA-256 of the file, or of what identifies timm's pretrained weights.
        path: the file; None for timm's, which are downloaded when the network is built.
        mean: normalization that the network was trained with, if the source says it.
        std: likewise.
    """

    label: str
    digest: str
    path: str | None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None


def locate_checkpoint(settings: ModelSettings, site: Site) -> LocatedCheckpoint | None:
    """Find the checkpoint that a run file names; None when the run trains the base itself.

    Raises:
        CheckpointError: there is no such file, object or registered model.
        ServiceError: the server of an object does not answer.
    """
    source = settings.checkpoint
    if source is None:
        return None
    if source == PRETRAINED:
        return _pretrained(settings.architecture)
    if source.startswith(_REGISTRY_PREFIXES):
        return _registered(source, site)
    if is_s3(source):
        return _object(source, site)
    path = Path(source).expanduser()
    if not path.is_file():
        raise CheckpointError(
            f"model.checkpoint must be {_ALLOWED}, got {source!r}, and there is no such file."
        )
    return LocatedCheckpoint(label=path.name, digest=file_digest(path), path=str(path.resolve()))


def _object(source: str, site: Site) -> LocatedCheckpoint:
    from tasks.objects import local_copy  # noqa: PLC0415  boto3 is slow to load

    try:
        path = local_copy(S3Address.parse(source), site.open_workspace().checkpoints)
    except StorageError as error:
        raise CheckpointError(
            f"model.checkpoint must be {_ALLOWED}, got {source!r}: {error}"
        ) from (error)
    if path is None or not path.is_file():
        raise CheckpointError(
            f"model.checkpoint must be {_ALLOWED}, got {source!r}, and there is no such object."
        )
    return LocatedCheckpoint(label=source, digest=file_digest(path), path=str(path))


def _pretrained(architecture: str) -> LocatedCheckpoint:
    from mixmatch.models import pretrained_identity, pretrained_normalization  # noqa: PLC0415  torch

    mean, std = pretrained_normalization(architecture)
    return LocatedCheckpoint(
        label=f"{PRETRAINED}:{architecture}",
        digest=json_digest(pretrained_identity(architecture)),
        path=None,
        mean=mean,
        std=std,
    )


def _registered(source: str, site: Site) -> LocatedCheckpoint:
    from tasks.tracking import download_weights, pinned_address  # noqa: PLC0415  imports MLflow

    folder = site.open_workspace().checkpoints
    folder.mkdir(parents=True, exist_ok=True)
    address = pinned_address(site, source)
    path = download_weights(site, address, folder)
    mean, std = _normalization_of(path)
    return LocatedCheckpoint(
        label=address, digest=file_digest(path), path=str(path), mean=mean, std=std
    )


def _normalization_of(path: Path) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    """Return the normalization that a pruned network of ours was trained with, if it is one."""
    from safetensors import safe_open  # noqa: PLC0415  heavy

    if path.suffix != ".safetensors":
        return None, None
    with safe_open(path, framework="numpy") as file:
        stated = file.metadata() or {}
    if not {"mean", "std"} <= stated.keys():
        return None, None
    return tuple(json.loads(stated["mean"])), tuple(json.loads(stated["std"]))
