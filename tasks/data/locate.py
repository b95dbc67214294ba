"""Find the data set that a run file names, and read it; sources are looked up in ``SOURCES``."""

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from mixmatch.config import DataSettings
from mixmatch.digests import json_digest
from mixmatch.errors import DataError, StorageError
from mixmatch.records import Record
from mixmatch.s3_address import S3Address, is_s3
from tasks.workspace import Workspace

if TYPE_CHECKING:
    from tasks.data.raw import RawData

EMBEDDED = "embedded"  # the label of what comes with a package
_VALIDATION = " (validation: "


class LocatedData(Record):
    """A data set that was found, before it is decoded.

    Attributes:
        label: what the data record calls its source: ``embedded``, the folder or archive that was
            named, or the address of the download; with ``validation_root``, that folder too.
        source_digest: SHA-256 that stands for the content, that of ``validation_root`` included.
        path: absolute folder of the files; None for what is embedded.
        validation_path: absolute folder of ``validation_root``; None where it is not set.
    """

    label: str
    source_digest: str
    path: str | None
    validation_path: str | None = None

    @property
    def source(self) -> str:
        """The label without ``validation_root``."""
        return self.label.partition(_VALIDATION)[0]


def locate_data(settings: DataSettings, workspace: Workspace) -> LocatedData:
    """Find the data set, downloading it into the workspace if it is not there.

    Reads every byte of the source once, because the digest stands for its content.

    Raises:
        DataError: the source is missing, empty, corrupt, or cannot be downloaded.
        ServiceError: the server of a bucket does not answer.
    """
    from tasks.data.sources import SOURCES  # noqa: PLC0415  loads numpy

    root = _here(settings.root, "data.root", workspace)
    found = SOURCES[settings.name].locate(root, workspace)
    if settings.root and is_s3(settings.root):
        found = found.model_copy(update={"label": settings.root})
    validation = _here(settings.validation_root, "data.validation_root", workspace)
    if validation is None:
        return found
    from tasks.data.image_folder import fingerprint, refuse_overlap  # noqa: PLC0415  loads numpy

    if settings.name in ("image_folder", "gtsrb") and found.path is not None:
        refuse_overlap(Path(found.path), _beside(settings, Path(found.path), validation))
    own = fingerprint(validation, "data.validation_root")
    return LocatedData(
        label=f"{found.label}{_VALIDATION}{_shown(settings.validation_root, validation)})",
        source_digest=_joint_digest(found.source_digest, own),
        path=found.path,
        validation_path=str(validation),
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
    if located.validation_path is not None:
        extra = read_validation(Path(located.validation_path))
        digest = _joint_digest(digest, extra.digest)
        raw = with_validation(raw, extra)
    if digest != located.source_digest:
        raise DataError(
            f"The data set {located.label} must stay as it was found (SHA-256 "
            f"{located.source_digest}), but it is now {digest}; run again once nothing changes it."
        )
    return in_order(raw, settings.classes) if settings.classes else raw


def _here(place: str | None, setting: str, workspace: Workspace) -> Path | None:
    """Return the absolute local path of a setting; what is in a bucket is copied here first."""
    if not place:
        return None
    if not is_s3(place):
        return Path(place).expanduser().resolve()
    from tasks.objects import local_copy  # noqa: PLC0415  boto3 is slow to load

    allowed = "an existing folder or archive, here or at s3://BUCKET/KEY"
    try:
        found = local_copy(S3Address.parse(place), workspace.data / "s3")
    except StorageError as error:
        raise DataError(f"{setting} must be {allowed}, got {place!r}: {error}") from error
    if found is None:
        raise DataError(f"{setting} must be {allowed}, got {place!r}, and there is nothing.")
    return found


def _beside(settings: DataSettings, root: Path, validation: Path) -> Path:
    """Return where validation images would lie beside the others if one copy held both."""
    if not (settings.root and settings.validation_root):
        return validation
    if not (is_s3(settings.root) and is_s3(settings.validation_root)):
        return validation
    above, below = PurePosixPath(settings.root), PurePosixPath(settings.validation_root)
    return root / below.relative_to(above) if below.is_relative_to(above) else validation


def _shown(setting: str | None, place: Path) -> str:
    return setting if setting and is_s3(setting) else str(place)


def _joint_digest(source: str, validation: str) -> str:
    return json_digest({"source": source, "validation": validation})
