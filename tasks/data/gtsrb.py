"""German traffic signs: 26,640 training and 12,630 test photographs of 43 signs, of 15 to 250 px.

The whole photograph is used, as torchvision.datasets.GTSRB does, not the annotated box in it.
Classes have their numbers for names: the benchmark publishes no others.
"""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mixmatch.errors import DataError
from tasks.data.archives import Archive, check_md5, install
from tasks.data.class_folders import decode, digest_of_files, find_class_folders
from tasks.data.locate import LocatedData
from tasks.data.raw import RawData, difference
from tasks.workspace import Workspace

Sample = tuple[Path, int]  # image file, label

CLASSES = tuple(f"{number:05}" for number in range(43))

# torchvision.datasets.GTSRB, repeated so that finding the files does not import torch.
ADDRESS = "https://sid.erda.dk/public/archives/daaeac0d7ce1152aea9b61d9f1e19370/"
ARCHIVES = (
    Archive(f"{ADDRESS}GTSRB-Training_fixed.zip", "513f3c79a4c5141765e10e952eaa2478"),
    Archive(f"{ADDRESS}GTSRB_Final_Test_Images.zip", "c7e4e6327067d32654124b0fe9e82185"),
    Archive(f"{ADDRESS}GTSRB_Final_Test_GT.zip", "fe31e9c9270bbcd7b84b7f21a9d9d9e5"),
)

_FOLDER, _TRAINING, _TEST = "GTSRB", "Training", "Final_Test/Images"
_TEST_LABELS = "GT-final_test.csv"  # beside _FOLDER
_ACCEPTED = (
    f"a folder that holds {_FOLDER} with {_TEST_LABELS} beside it, or the three archives "
    f"{', '.join(archive.name for archive in ARCHIVES)}"
)


def locate(root: Path | None, workspace: Workspace) -> LocatedData:
    """Find the images and digest them; without ``root``, download them once.

    Args:
        root: the folder ``GTSRB``, one that holds it (or ``gtsrb/GTSRB``), or one with the three
            official archives, which are unpacked into the workspace; None: the workspace's copy.
        workspace: where that copy is.

    Raises:
        DataError: a file is missing, an archive is not the official one, or there is no network.
    """
    folder = _find(root, workspace)
    return LocatedData(
        label=ADDRESS if root is None else str(root),
        source_digest=_digest(_training(folder), _test(folder), folder),
        path=str(folder),
    )


def read(path: Path | None) -> RawData:
    """List the images of the folder ``path``; test labels come from the table beside it.

    Raises:
        DataError: a file is missing, or the table is not what it should be.
    """
    if path is None:
        raise DataError("GTSRB must be located before it is read, got no folder.")
    train, test = _training(path), _test(path)
    files = [file for file, _ in (*train, *test)]
    return RawData(
        labels=np.array([label for _, label in (*train, *test)], dtype=np.int64),
        rows={"train": np.arange(len(train)), "test": np.arange(len(train), len(files))},
        classes=CLASSES,
        draw=lambda row: decode(files[row]),
        digest=_digest(train, test, path),
        groups=_signs(train, len(files)),
    )


def _signs(train: Sequence[Sample], num_files: int) -> NDArray[np.int64]:
    """Number the photographed signs: a name is ``SIGN_FRAME``, about 30 frames of one approach.

    Frames of a sign in training would flatter a validation on other frames of it.
    """
    names = [(label, file.stem.partition("_")[0]) for file, label in train]
    number = {name: place for place, name in enumerate(dict.fromkeys(names))}
    tests = range(len(number), len(number) + num_files - len(train))
    return np.array([*(number[name] for name in names), *tests], dtype=np.int64)


def _find(root: Path | None, workspace: Workspace) -> Path:
    """Return the folder ``GTSRB``, unpacking or downloading what is not there."""
    if root is None:
        return _installed(None, workspace)
    for folder in (root / "gtsrb" / _FOLDER, root / _FOLDER, root):
        if (folder / _TRAINING).is_dir():
            return folder
    for folder in (root, root / "gtsrb"):
        if any((folder / archive.name).is_file() for archive in ARCHIVES):
            for archive in ARCHIVES:
                check_md5(folder / archive.name, archive.md5, f"get it from {archive.address}")
            return _installed(folder, workspace)
    raise DataError(f"data.root must be {_ACCEPTED}, got {str(root)!r}.")


def _installed(archives: Path | None, workspace: Workspace) -> Path:
    """Return the folder ``GTSRB`` of the workspace's copy; makes that where it is missing."""
    home = workspace.data / "gtsrb"
    if not (home / _FOLDER).is_dir():
        install(
            home,
            {archive: archives and archives / archive.name for archive in ARCHIVES},
            lambda content: _check(content / _FOLDER),
            title="GTSRB",
            advice=f"set data.root to {_ACCEPTED}",
        )
    return home / _FOLDER


def _check(folder: Path) -> None:
    """Raise a DataError unless every file is there; the archives' checksums cover their bytes."""
    _training(folder)
    missing = [file for file, _ in _test(folder) if not file.is_file()]
    if missing:
        raise DataError(f"{folder} must hold every test image, but {missing[0]} does not exist.")


def _digest(train: Sequence[Sample], test: Sequence[Sample], folder: Path) -> str:
    """Read every file once, in parallel threads."""
    images = [file for file, _ in (*train, *test)]
    return digest_of_files([*images, folder.parent / _TEST_LABELS], folder.parent)


def _training(folder: Path) -> list[Sample]:
    """Return image files with their labels, in the order of their names."""
    found = find_class_folders(folder / _TRAINING, "data.root")
    images = {
        name: [x for x in files if x.suffix.lower() == ".ppm"] for name, files in found.items()
    }
    names = [name for name, files in images.items() if files]
    if names != list(CLASSES):
        raise DataError(
            f"{folder / _TRAINING} must hold .ppm images in {len(CLASSES)} folders {CLASSES[0]} to "
            f"{CLASSES[-1]}: {difference(CLASSES, names)}; get them from {ARCHIVES[0].address}."
        )
    return [(file, label) for label, name in enumerate(CLASSES) for file in images[name]]


def _test(folder: Path) -> list[Sample]:
    """Return image files with their labels, in the order of the table."""
    table = folder.parent / _TEST_LABELS
    try:
        lines = table.read_text("utf-8").splitlines()
        rows = list(csv.DictReader(lines, delimiter=";", skipinitialspace=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{table} must be the table of test labels, but: {error}; get it from "
            f"{ARCHIVES[2].address}."
        ) from error
    samples = [(folder / _TEST / _file_name(row, table), _label(row, table)) for row in rows]
    if not samples:
        raise DataError(f"{table} must name at least one test image, but it is empty.")
    return samples


def _file_name(row: dict[str, str], table: Path) -> str:
    name = row.get("Filename") or ""
    if Path(name).name != name or not name:
        raise DataError(f"{table} must name a file in the column Filename, got {row}.")
    return name


def _label(row: dict[str, str], table: Path) -> int:
    label = row.get("ClassId") or ""
    if not label.isdecimal() or int(label) >= len(CLASSES):
        raise DataError(
            f"{table} must name a class from 0 to {len(CLASSES) - 1} in the column ClassId, got "
            f"{row}."
        )
    return int(label)
