"""Find the data set that a run file names, and read it; sources are looked up in ``SOURCES``."""

from pathlib import Path
from typing import TYPE_CHECKING

from mixmatch.config import DataSettings
from mixmatch.digests import json_digest
from mixmatch.errors import DataError
from mixmatch.records import Record
from tasks.workspace import Workspace

if TYPE_CHECKING:
    from tasks.data.raw import RawData


class LocatedData(Record):
    """A data set that was found, before it is decoded.

    Attributes:
        label: what the data record calls its source: ``embedded``, the folder or archive that was
            named, or the address of the download; with ``validation_root``, that folder too.
        source_digest: SHA-256 that stands for the content, that of ``validation_root`` included.
        path: absolute folder of the files; None for what is embedded.
    """

    label: str
    source_digest: str
    path: str | None


def locate_data(settings: DataSettings, workspace: Workspace) -> LocatedData:
    """Find the data set, downloading it into the workspace if it is not there.

    Reads every byte of the source once, because the digest stands for its content.

    Raises:
        DataError: the source is missing, empty, corrupt, or cannot be downloaded.
    """
    from tasks.data.sources import SOURCES  # noqa: PLC0415  loads numpy

    found = SOURCES[settings.name].locate(_absolute(settings.root), workspace)
    validation = _absolute(settings.validation_root)
    if validation is None:
        return found
    from tasks.data.image_folder import fingerprint, refuse_overlap  # noqa: PLC0415  loads numpy

    if settings.name in ("image_folder", "gtsrb") and found.path is not None:
        refuse_overlap(Path(found.path), validation)
    return LocatedData(
        label=f"{found.label} (validation: {validation})",
        source_digest=_joint_digest(
            found.source_digest, fingerprint(validation, "data.validation_root")
        ),
        path=found.path,
    )


def read_data(settings: DataSettings, located: LocatedData) -> "RawData":
    """Open the located data set with the classes in the order that the settings ask for.

    Raises:
        DataError: the source is corrupt, or is not what it was when it was located.
        ConfigError: ``data.classes`` does not hold the names of the data set.
    """
    from tasks.data.image_folder import read_validation  # noqa: PLC0415  loads numpy
    from tasks.data.raw import in_order, with_validation  # noqa: PLC0415  loads numpy
    from tasks.data.sources import SOURCES  # noqa: PLC0415  loads numpy

    raw = SOURCES[settings.name].read(Path(located.path) if located.path else None)
    digest = raw.digest
    validation = _absolute(settings.validation_root)
    if validation is not None:
        extra = read_validation(validation)
        digest = _joint_digest(digest, extra.digest)
        raw = with_validation(raw, extra)
    if digest != located.source_digest:
        raise DataError(
            f"The data set {located.label} must stay as it was found (SHA-256 "
            f"{located.source_digest}), but it is now {digest}; run again once nothing changes it."
        )
    return in_order(raw, settings.classes) if settings.classes else raw


def _absolute(place: str | None) -> Path | None:
    return Path(place).expanduser().resolve() if place else None


def _joint_digest(source: str, validation: str) -> str:
    return json_digest({"source": source, "validation": validation})
