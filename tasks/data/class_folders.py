"""One folder per class with image files in it: finding them, naming their content, decoding one."""

import warnings
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from mixmatch.digests import file_digest, json_digest
from mixmatch.errors import DataError

# As torchvision.datasets.folder; any other file is passed over.
IMAGE_SUFFIXES = frozenset(".jpg .jpeg .png .ppm .bmp .pgm .tif .tiff .webp".split())


def find_class_folders(folder: Path, setting: str) -> dict[str, tuple[Path, ...]]:
    """Return the image files of each class, classes and files in the order of their names.

    Files lie in the class folder or below it. Names that begin with a dot are passed over.

    Args:
        folder: holds one folder per class.
        setting: the name of the setting that gave ``folder``, for messages.

    Raises:
        DataError: ``folder`` is missing, has fewer than two class folders, or one without images.
    """
    if not folder.is_dir():
        raise DataError(
            f"{setting} must be a folder of class folders, but {folder} is "
            f"{'a file' if folder.exists() else 'not there'}."
        )
    classes = {x.name: _images_below(x) for x in subfolders(folder)}
    if len(classes) < 2:
        raise DataError(
            f"{setting} must hold at least two class folders, found {sorted(classes)} in {folder}."
        )
    empty = [name for name, files in classes.items() if not files]
    if empty:
        raise DataError(
            f"{setting} must hold an image in every class folder, but {folder / empty[0]} has "
            f"none; known types: {' '.join(sorted(IMAGE_SUFFIXES))}."
        )
    return classes


def subfolders(folder: Path) -> list[Path]:
    """Return the folders in ``folder`` by name, without hidden ones."""
    found = (x for x in folder.iterdir() if x.is_dir() and not x.name.startswith("."))
    return sorted(found, key=lambda x: x.name)


def digest_of_files(files: Iterable[Path], root: Path) -> str:
    """Return a SHA-256 over the pairs of path relative to ``root`` and SHA-256 of the bytes.

    Raises:
        DataError: a file cannot be read.
    """
    paths = list(files)
    try:
        with ThreadPoolExecutor() as threads:
            digests = list(threads.map(file_digest, paths))
    except OSError as error:
        raise DataError(f"The images in {root} must be readable: {error}.") from error
    names = [path.relative_to(root).as_posix() for path in paths]
    return json_digest(dict(zip(names, digests, strict=True)))


def decode(file: Path) -> Image.Image:
    """Read one image file into memory; an EXIF orientation is ignored.

    Raises:
        DataError: it is not an image, truncated, of more than 8 bits per channel, or has more
            pixels than Pillow considers safe.
    """
    try:
        with _bombs_refused(), Image.open(file) as image:
            image.load()
            decoded = _without_palette(image)
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise _unreadable(file, error) from error
    except Image.DecompressionBombWarning as error:
        raise _unreadable(file, error) from error
    if decoded.mode.startswith(("I", "F")):
        raise DataError(f"{file} must have 8 bits per channel, got an image of mode {decoded.mode}.")
    return decoded
