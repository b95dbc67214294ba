"""The first step: a located data set becomes one file in the store; and reading its splits back."""

from pathlib import Path
from typing import TYPE_CHECKING

from mixmatch.config import DataSettings
from mixmatch.records import DataRecord
from tasks.data import LocatedData, read_data
from tasks.jobs import FetchJob
from tasks.site import Site

if TYPE_CHECKING:
    from mixmatch.images import ImageSet

# Of one split. The data sets that we know fit; photographs of 224 pixels are 150 KB each.
IN_MEMORY_BYTES = 256 << 20


def fetch_data(
    job: FetchJob, settings: DataSettings, located: LocatedData, site: Site
) -> DataRecord:
    """Decode, resize and split a data set, unless the store already holds it.

    Args:
        job: the true inputs; its key names the record in the store.
        settings: the data section as the user wrote it, for the folders that the job leaves out.
        located: what ``locate_data`` found for these settings.
        site: where the store is.

    Raises:
        DataError: an image is corrupt, a split is empty, or the source changed since it was found.
        ConfigError: ``data.classes`` does not hold the names of the data set.
    """
    store = site.open_store()
    done = store.find(job.step, job.key, DataRecord)
    if done is not None:
        return done
    with store.scratch() as folder:
        record = _compute(job, settings, located, site, folder / "data.safetensors")
    store.commit(job.step, job.key, job.inputs, record)
    return record


def load_split(path: Path, split: str) -> "ImageSet":
    """Open one split of a data file; only its part of the file is touched.

    Its images are read now, unless there are more than ``IN_MEMORY_BYTES`` of them: then they stay
    in the file, which the system keeps in memory as far as there is any to spare.

    Args:
        path: the file that a data record names.
        split: ``train``, ``calibration``, ``validation`` or ``test``.
    """
    from safetensors import safe_open  # noqa: PLC0415  loads torch

    from mixmatch.images import ImageSet, StreamedImages  # noqa: PLC0415  loads torch

    with safe_open(path, framework="pt") as file:  # maps the file, copies nothing yet
        rows, mapped = file.get_tensor(split).clone(), file.get_tensor("images")
        labels = file.get_tensor("labels")[rows]
    if len(rows) * mapped[0].numel() > IN_MEMORY_BYTES:
        return ImageSet(StreamedImages(mapped, rows), labels)
    return ImageSet(mapped[rows], labels)


def _compute(
    job: FetchJob, settings: DataSettings, located: LocatedData, site: Site, file: Path
) -> DataRecord:
    from tasks.data.data_file import write_data_file  # noqa: PLC0415  loads numpy
    from tasks.data.resize import squares  # noqa: PLC0415  loads Pillow
    from tasks.data.sources import SOURCES  # noqa: PLC0415  loads numpy
    from tasks.data.splits import renumber, split_rows  # noqa: PLC0415  loads numpy

    raw, source = read_data(settings, located), SOURCES[settings.name]
    divided = split_rows(raw.rows, settings, job.calibration_fraction, job.seed, groups=raw.groups)
    rows, splits = renumber(divided)
    size, channels = settings.image_size, settings.channels
    images = squares(
        raw.draw, rows, size=size, channels=channels, interpolation=settings.interpolation
    )
    columns = {"labels": raw.labels[rows], **splits}
    write_data_file(file, images, (len(rows), size, size, channels), columns)
    mean, std = source.normalization(channels)
    return DataRecord(
        name=settings.name,
        source=located.label,
        source_digest=located.source_digest,
        artifact=site.open_store().put(file),
        num_images={split: len(x) for split, x in splits.items()},
        classes=raw.classes,
        image_shape=(size, size, channels),
        mean=mean,
        std=std,
        augmentation=source.augmentation,
    )
