"""Fashion-MNIST: 60,000 + 10,000 grey images of 28x28 in four gzipped IDX files."""

import gzip
import hashlib
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mixmatch.digests import json_digest
from mixmatch.errors import DataError
from tasks.data.archives import Archive, download
from tasks.data.locate import LocatedData
from tasks.data.raw import RawData
from tasks.scratch import scratch_folder
from tasks.workspace import Workspace

# torchvision.datasets.FashionMNIST, repeated so that finding the files does not import torch.
ADDRESS = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
CLASSES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)

# SHA-256 of the unpacked files. Not of the packed ones: Debian packs them anew, so that its files
# differ from those whose MD5 torchvision knows although every image is the same.
CONTENTS: Mapping[str, str] = MappingProxyType(
    {
        "train-images-idx3-ubyte": (
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"
        ),
        "train-labels-idx1-ubyte": (
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"
        ),
        "t10k-images-idx3-ubyte": (
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"
        ),
        "t10k-labels-idx1-ubyte": (
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"
        ),
    }
)

_SIDE = 28
_IMAGES_START, _LABELS_START = 16, 8  # bytes of the IDX headers, for 3 and 1 dimensions
_LARGEST_BYTES = _IMAGES_START + 60_000 * _SIDE**2  # no file unpacks to more


def locate(root: Path | None, workspace: Workspace) -> LocatedData:
    """Find the four ``.gz`` files and check their content; without ``root``, download them once.

    Args:
        root: folder that holds them; None: a folder of the workspace.
        workspace: where a download goes.

    Raises:
        DataError: a file is missing, truncated or not the official one, or there is no network.
    """
    folder = root or workspace.data / "fashion_mnist"
    if root is None:
        _download_missing(folder)
    return LocatedData(
        label=ADDRESS if root is None else str(root),
        source_digest=_digest(_unpack_all(folder)),
        path=str(folder),
    )


def read(path: Path | None) -> RawData:
    """Load the images from the folder ``path``; its own test split holds 10,000 of them.

    Raises:
        DataError: a file is missing, truncated, or not the official one.
    """
    if path is None:
        raise DataError("Fashion-MNIST must be located before it is read, got no folder.")
    content = _unpack_all(path)
    images = np.concatenate([_images(content[f"{x}-images-idx3-ubyte"]) for x in ("train", "t10k")])
    parts = [_labels(content[f"{x}-labels-idx1-ubyte"]) for x in ("train", "t10k")]
    num_train, labels = len(parts[0]), np.concatenate(parts)
    return RawData(
        labels=labels.astype(np.int64),
        rows={"train": np.arange(num_train), "test": np.arange(num_train, len(labels))},
        classes=CLASSES,
        draw=lambda row: Image.fromarray(images[row]),
        digest=_digest(content),
    )


def _download_missing(folder: Path) -> None:
    """Fetch what is missing; a file appears in ``folder`` complete and checked, or not at all."""
    missing = {f"{name}.gz" for name in CONTENTS if not (folder / f"{name}.gz").is_file()}
    if not missing:
        return
    from torchvision.datasets import FashionMNIST  # noqa: PLC0415  loads torch

    md5 = dict(FashionMNIST.resources)
    with scratch_folder(folder) as scratch:
        for name in sorted(missing):
            file = download(
                Archive(FashionMNIST.mirrors[0] + name, md5[name]),
                scratch,
                title="Fashion-MNIST",
                advice="set data.root to a folder that holds its four .gz files",
            )
            os.replace(file, folder / name)


def _unpack_all(folder: Path) -> dict[str, bytes]:
    if not folder.is_dir():
        raise DataError(f"data.root must be a folder with the four .gz files, got {str(folder)!r}.")
    return {name: _unpack(folder / f"{name}.gz") for name in CONTENTS}


def _unpack(file: Path) -> bytes:
    """Return a file's content after comparing it with the official one."""
    try:
        with gzip.open(file) as packed:
            content = packed.read(_LARGEST_BYTES + 1)  # beyond the end, so that the CRC is checked
    except FileNotFoundError as error:
        raise DataError(
            f"data.root must hold the four .gz files of Fashion-MNIST, but {file} does not exist."
        ) from error
    except (OSError, EOFError, zlib.error) as error:  # BadGzipFile is an OSError
        raise DataError(
            f"{file} must be a complete gzip file of Fashion-MNIST, but it is truncated or "
            f"corrupt ({error}); get it again."
        ) from error
    expected, found = CONTENTS[file.stem], hashlib.sha256(content).hexdigest()
    if found != expected:
        raise DataError(
            f"{file} must unpack to the official file with SHA-256 {expected}, found {found}; "
            "get it again."
        )
    return content


def _digest(content: Mapping[str, bytes]) -> str:
    return json_digest({name: CONTENTS[name] for name in content})


def _images(content: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(content, np.uint8, offset=_IMAGES_START).reshape(-1, _SIDE, _SIDE)


def _labels(content: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(content, np.uint8, offset=_LABELS_START)
