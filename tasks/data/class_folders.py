"""One folder per class with image files in it: finding them, naming their content, decoding one."""

import struct
import warnings
import zlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

from PIL import Image, ImageFile

from mixmatch.digests import file_digest, json_digest
from mixmatch.errors import DataError

# As torchvision.datasets.folder; any other file is passed over.
IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp"}
)

# What Pillow's decoders raise on bytes that are not what the header says.
_UNREADABLE = (
    *(OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error),
    *(Image.DecompressionBombError, Image.DecompressionBombWarning),
)
_GROUP = 64  # files per thread and step: handing over one costs more than reading a small image
_WARNING_FILTERS = Lock()  # filters belong to the process, decoding runs in threads


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
    try:
        classes = {x.name: _images_below(x) for x in subfolders(folder)}
    except OSError as error:
        raise DataError(f"{setting} must be readable, but: {error}.") from error
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
    groups = [paths[start : start + _GROUP] for start in range(0, len(paths), _GROUP)]
    try:
        with ThreadPoolExecutor() as threads:
            parts = threads.map(lambda group: [file_digest(x) for x in group], groups)
            digests = [digest for part in parts for digest in part]
    except OSError as error:
        raise DataError(f"The images in {root} must be readable: {error}.") from error
    names = [path.relative_to(root).as_posix() for path in paths]
    return json_digest(dict(zip(names, digests, strict=True)))


def decode(file: Path) -> Image.Image:
    """Read one image file into memory; an EXIF orientation is ignored.

    Raises:
        DataError: it is not an image, truncated, of more than 8 bits per channel, or has more
            pixels than ``PIL.Image.MAX_IMAGE_PIXELS``.
    """
    try:
        with _open(file) as image:
            is_deep = any(map(_is_deep, image.tile))
            image.load()
            # Pillow converts a palette with transparency through RGBA only.
            decoded = image.convert("RGBA") if "transparency" in image.info else image.copy()
    except _UNREADABLE as error:
        raise DataError(
            f"{file} must be an image that can be decoded, but: {error}; remove or replace it."
        ) from error
    if is_deep or decoded.mode.startswith(("I", "F")):
        raise DataError(
            f"{file} must have 8 bits per channel, got more in Pillow's mode {decoded.mode}."
        )
    if decoded.mode == "LAB":
        raise DataError(f"{file} must be grey or of colours that Pillow converts, got LAB.")
    return decoded


def _is_deep(tile: ImageFile._Tile) -> bool:
    """Say whether Pillow would drop the lower bits of colours that have more than 8."""
    rawmode, largest = tile.args, 0
    if isinstance(rawmode, tuple):
        rawmode, largest = rawmode[0], rawmode[-1]
    if tile.codec_name in {"ppm", "ppm_plain"}:
        return int(largest) > 255
    # A bitmap's "BGR;16" has 16 bits a pixel.
    return ";16" in str(rawmode) and not str(rawmode).startswith("BGR;")


def _open(file: Path) -> ImageFile.ImageFile:
    """Read the header; an image of suspiciously many pixels is an error, not a warning."""
    with _WARNING_FILTERS, warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        return Image.open(file)


def _images_below(folder: Path) -> tuple[Path, ...]:
    found = {
        x.relative_to(folder).as_posix(): x
        for x in folder.rglob("*")
        if x.suffix.lower() in IMAGE_SUFFIXES and x.is_file()
    }
    # What editors and file managers keep in hidden folders are copies of the others.
    return tuple(found[x] for x in sorted(found) if not f"/{x}".count("/."))
