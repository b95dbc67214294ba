"""Any folder of class folders, or ``train/``, ``val/`` and ``test/`` with class folders in each."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mixmatch.errors import DataError
from tasks.data.class_folders import decode, digest_of_files, find_class_folders, subfolders
from tasks.data.locate import LocatedData
from tasks.data.raw import RawData, Rows, difference
from tasks.workspace import Workspace

ClassFiles = Mapping[str, Sequence[Path]]  # image files by class name

VALIDATION_FOLDERS = ("val", "valid", "validation")


def locate(root: Path | None, workspace: Workspace) -> LocatedData:
    """Find the images and digest them: every file is read, in parallel threads.

    Raises:
        DataError: a folder is missing or empty, or splits have different classes.
    """
    del workspace  # every source has this signature
    if root is None:
        raise DataError("data.root must name a folder when data.name is image_folder.")
    parts = _parts(root)
    return LocatedData(label=str(root), source_digest=_digest(parts, root), path=str(root))


def read(path: Path | None) -> RawData:
    """List the images of ``path``; classes are in the order of their folders' names.

    Raises:
        DataError: a folder is missing or empty, or splits have different classes.
    """
    if path is None:
        raise DataError("data.root must name a folder when data.name is image_folder.")
    parts = _parts(path)
    return _raw(parts, _digest(parts, path))


def read_validation(folder: Path) -> RawData:
    """List class folders as one split, ``train``, whatever their names.

    Raises:
        DataError: the folder is missing, or a class folder is empty.
    """
    parts = {"train": find_class_folders(folder, "data.validation_root")}
    return _raw(parts, _digest(parts, folder))


def fingerprint(folder: Path, setting: str) -> str:
    """Return the digest of a folder of class folders; ``setting`` is named in messages."""
    return _digest({"train": find_class_folders(folder, setting)}, folder)


def refuse_overlap(root: Path, validation: Path) -> None:
    """Check that no folder of training or test images is read for validation too.

    Raises:
        DataError: ``validation`` is, or lies in, one of them.
    """
    read_for_others = [root / "train", root / "test"] if _is_split(root) else [root]
    for folder in read_for_others:
        if validation.is_relative_to(folder.resolve()):
            raise DataError(
                "data.validation_root must lie outside the training and test images, got "
                f"{validation}, which is inside {folder}."
            )


def _is_split(root: Path) -> bool:
    """Tell ``train/CLASS/`` from a class that is called train."""
    return (root / "train").is_dir() and bool(subfolders(root / "train"))


def _parts(root: Path) -> Mapping[str, ClassFiles]:
    """Return the images of each split that the folder makes."""
    if not _is_split(root):
        return {"train": find_class_folders(root, "data.root")}
    folders = {
        "train": root / "train",
        "validation": _validation_folder(root),
        "test": root / "test",
    }
    parts = {
        split: find_class_folders(folder, "data.root")
        for split, folder in folders.items()
        if folder.is_dir()
    }
    for split, classes in parts.items():
        if list(classes) != list(parts["train"]):
            raise DataError(
                f"data.root must have the same classes in every split, but {folders[split]} "
                f"differs from {folders['train']}: {difference(parts['train'], classes)}."
            )
    return parts


def _validation_folder(root: Path) -> Path:
    """Return the validation folder of a root with splits; it need not exist."""
    found = [root / name for name in VALIDATION_FOLDERS if (root / name).is_dir()]
    if len(found) > 1:
        raise DataError(
            f"data.root must hold one validation folder, found {[x.name for x in found]} in {root}."
        )
    return found[0] if found else root / VALIDATION_FOLDERS[0]


def _digest(parts: Mapping[str, ClassFiles], root: Path) -> str:
    files = (x for classes in parts.values() for files in classes.values() for x in files)
    return digest_of_files(files, root)


def _raw(parts: Mapping[str, ClassFiles], digest: str) -> RawData:
    files: list[Path] = []
    labels: list[int] = []
    rows: dict[str, Rows] = {}
    for split, classes in parts.items():
        first = len(files)
        for label, images in enumerate(classes.values()):
            files.extend(images)
            labels.extend([label] * len(images))
        rows[split] = np.arange(first, len(files))
    return RawData(
        labels=np.array(labels, dtype=np.int64),
        rows=rows,
        classes=tuple(parts["train"]),
        draw=lambda row: decode(files[row]),
        digest=digest,
    )
