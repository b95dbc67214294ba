"""Sources that a restored workspace stands for: there, neither data set nor checkpoint is needed.

Their digests are taken from the lineage, so that every step is found under its key; what the store
lacks is read from its source again, which must still have that digest.
"""

import json

from pydantic import ValidationError

from mixmatch.config import DataSettings, ModelSettings, RunConfig
from mixmatch.errors import CheckpointError, DataError, LineageError, WorkspaceError
from mixmatch.records import Artifact, BaseRecord, DataRecord, Lineage, Record
from tasks.checkpoint import PRETRAINED, LocatedCheckpoint, locate_checkpoint
from tasks.data import LocatedData, locate_data
from tasks.jobs import data_job
from tasks.site import Site
from tasks.workspace import Workspace

_REGISTERED = "models:/"
_FILE = "pins.json"


class Pins(Record):
    """What was found where, when the version was made.

    Attributes:
        data_settings: which data set that is: name and places.
        data: as it was located.
        model_settings: which base that is: architecture and checkpoint.
        checkpoint: as it was located; None: the base was trained.
        base: weights of the base in the restored store.
    """

    data_settings: dict[str, str | None]
    data: LocatedData
    model_settings: dict[str, str | None]
    checkpoint: LocatedCheckpoint | None
    base: Artifact | None = None


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
        base=network.artifact,
    )
    (workspace.root / _FILE).write_text(pins.model_dump_json(indent=1), encoding="utf-8")


def read_pins(site: Site) -> Pins | None:
    """Return what the workspace was restored with; None: it was not restored.

    Raises:
        WorkspaceError: its pins are damaged.
    """
    file = site.open_workspace().root / _FILE
    if not file.is_file():
        return None
    try:
        return Pins.model_validate(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, ValidationError) as error:
        raise WorkspaceError(
            f"{file} must hold what the workspace was restored with, and is damaged "
            f"({type(error).__name__}); restore the version again."
        ) from error


def find_data(pins: Pins, config: RunConfig, site: Site) -> LocatedData:
    """Return the pinned data set where the store holds it, else locate it at its source.

    Raises:
        DataError: the source is missing, or is not what the version was made from.
    """
    is_pinned = pins.data_settings == _which_data(config.data)
    if is_pinned and _data_record(config, pins.data, site) is not None:
        return pins.data
    found = locate_data(config.data, site.open_workspace())
    if is_pinned and found.source_digest != pins.data.source_digest:
        raise DataError(
            _another("data set", found.label, pins.data.source_digest, found.source_digest)
        )
    return found


def find_checkpoint(
    pins: Pins, config: RunConfig, data: LocatedData, site: Site
) -> LocatedCheckpoint | None:
    """Return the pinned checkpoint where the store holds the base, else locate it at its source.

    A base that was made with other processors or versions is not found under its key, but unless it
    got a new head its weights are those of the checkpoint, which may be lost.

    Args:
        pins: of the workspace.
        config: the run file.
        data: the data set of the run.
        site: the restored workspace.

    Raises:
        CheckpointError: the source is missing, or is not what the version was made from.
    """
    pinned = pins.checkpoint if pins.model_settings == _which_model(config.model) else None
    if pinned is None:
        return locate_checkpoint(config.model, site)
    if _holds_base(config, data, pinned, site):
        return pinned
    store = site.open_store()
    base = None if config.model.allow_new_head else pins.base
    if base is not None and store.is_intact(base):
        return pinned.model_copy(update={"path": str(store.path(base))})
    settings = config.model
    if pinned.label.startswith(_REGISTERED):  # the version, not the alias that the run file says
        settings = settings.model_copy(update={"checkpoint": pinned.label})
    found = locate_checkpoint(settings, site)
    if found is not None and found.digest != pinned.digest:
        raise CheckpointError(_another("checkpoint", found.label, pinned.digest, found.digest))
    return found


def _data_record(config: RunConfig, data: LocatedData, site: Site) -> DataRecord | None:
    job = data_job(config.data, data.source_digest, config.calibration_fraction, config.seed)
    return site.open_store().find(job.step, job.key, DataRecord)


def _holds_base(
    config: RunConfig, data: LocatedData, checkpoint: LocatedCheckpoint, site: Site
) -> bool:
    record = _data_record(config, data, site)
    if record is None:
        return False
    from tasks.orders import base_job  # noqa: PLC0415  torch takes seconds to load

    job = base_job(config, record, checkpoint)
    return site.open_store().find(job.step, job.key, BaseRecord) is not None


def _another(what: str, label: str, expected: str, found: str) -> str:
    return (
        f"The {what} {label} must be the one that the restored version was made from, SHA-256 "
        f"{expected}, and is now {found}; put it back, or run in a workspace of its own."
    )


def _which_data(settings: DataSettings) -> dict[str, str | None]:
    places = {"root": settings.root, "validation_root": settings.validation_root}
    return {"name": settings.name, **places}


def _which_model(settings: ModelSettings) -> dict[str, str | None]:
    return {"architecture": settings.architecture, "checkpoint": settings.checkpoint}
