"""Sources that a restored workspace stands for: there, neither data set nor checkpoint is needed.

Their digests are taken from the lineage, so that every step is found under its key; what the store
lacks is still read from the source, and compared with the digest.
"""

import json
from pathlib import Path

from pydantic import ValidationError

from mixmatch.config import DataSettings, ModelSettings
from mixmatch.errors import LineageError, WorkspaceError
from mixmatch.records import BaseRecord, DataRecord, Lineage, Record
from tasks.checkpoint import PRETRAINED, LocatedCheckpoint
from tasks.data import LocatedData
from tasks.workspace import Workspace

_FILE = "pins.json"


class Pins(Record):
    """What was found where, when the version was made.

    Attributes:
        data_settings: which data set that is: name and places.
        data: as it was located.
        model_settings: which base that is: architecture and checkpoint.
        checkpoint: as it was located; None: the base was trained.
    """

    data_settings: dict[str, str | None]
    data: LocatedData
    model_settings: dict[str, str | None]
    checkpoint: LocatedCheckpoint | None


def write_pins(workspace: Workspace, lineage: Lineage) -> None:
    """Pin the sources of a lineage in a workspace.

    Raises:
        LineageError: the lineage lacks data set or base.
    """
    fetch, base = lineage.step("fetch"), lineage.step("base")
    if fetch is None or base is None:
        raise LineageError("A lineage must have the steps fetch and base to be restored.")
    settings = DataSettings.model_validate(lineage.settings["data"])
    model = ModelSettings.model_validate(lineage.settings["model"])
    data, network = DataRecord.model_validate(fetch.record), BaseRecord.model_validate(base.record)
    digest = base.inputs.get("checkpoint_digest")
    checkpoint = None
    if isinstance(digest, str):
        checkpoint = LocatedCheckpoint(
            label=lineage.source,
            digest=digest,
            path=None if lineage.source.startswith(f"{PRETRAINED}:") else model.checkpoint,
            mean=network.spec.mean,
            std=network.spec.std,
        )
    pins = Pins(
        data_settings=_which_data(settings),
        data=LocatedData(label=data.source, source_digest=data.source_digest, path=settings.root),
        model_settings=_which_model(model),
        checkpoint=checkpoint,
    )
    (workspace.root / _FILE).write_text(pins.model_dump_json(indent=1), encoding="utf-8")


def pinned_data(settings: DataSettings, workspace: Workspace) -> LocatedData | None:
    """Return the data set that the workspace was restored with, if these settings name it.

    Raises:
        WorkspaceError: the workspace's pins are damaged.
    """
    pins = _read(workspace.root / _FILE)
    return pins.data if pins is not None and pins.data_settings == _which_data(settings) else None


def pinned_checkpoint(settings: ModelSettings, workspace: Workspace) -> LocatedCheckpoint | None:
    """Return the checkpoint likewise.

    Raises:
        WorkspaceError: the workspace's pins are damaged.
    """
    pins = _read(workspace.root / _FILE)
    if pins is None or pins.model_settings != _which_model(settings):
        return None
    return pins.checkpoint


def _which_data(settings: DataSettings) -> dict[str, str | None]:
    places = {"root": settings.root, "validation_root": settings.validation_root}
    return {"name": settings.name, **places}


def _which_model(settings: ModelSettings) -> dict[str, str | None]:
    return {"architecture": settings.architecture, "checkpoint": settings.checkpoint}


def _read(file: Path) -> Pins | None:
    if not file.is_file():
        return None
    try:
        return Pins.model_validate(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, ValidationError) as error:
        raise WorkspaceError(
            f"{file} must hold what the workspace was restored with, and is damaged "
            f"({type(error).__name__}); restore the version again."
        ) from error
