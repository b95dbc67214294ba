"""The first job: a data set."""

from importlib.metadata import version
from typing import ClassVar

from mixmatch.config import DataSettings
from mixmatch.records import DataRecord, Record
from tasks.jobs.job import Job


class FetchJob(Job):
    """Read a data set, resize it, split it.

    Attributes:
        settings: what the data section says, without places and without what only preprocessing
            reads (see ``data_job``).
        source_digest: SHA-256 that stands for the content of the source.
        calibration_fraction: part of the training images.
        seed: of the splits.
        versions: of the package that decodes and resizes.
        grouping: what is never divided between splits (traffic signs, of which there are many
            pictures); None: every image is of its own.
    """

    step: ClassVar[str] = "fetch"
    kind: ClassVar[type[Record]] = DataRecord

    settings: dict[str, object]
    source_digest: str
    calibration_fraction: float
    seed: int
    versions: dict[str, str]
    grouping: str | None = None


# What the pictures of a data set are several of.
_GROUPING = {"gtsrb": "sign"}


def data_job(
    settings: DataSettings, source_digest: str, calibration_fraction: float, seed: int
) -> FetchJob:
    """Ask for a data set; settings that do not change its file are left out."""
    unread = {"root", "validation_root", "normalization", "augmentation"}
    return FetchJob(
        settings=settings.model_dump(mode="json", exclude=unread),
        source_digest=source_digest,
        calibration_fraction=calibration_fraction,
        seed=seed,
        versions={"pillow": version("pillow")},
        grouping=_GROUPING.get(settings.name),
    )
