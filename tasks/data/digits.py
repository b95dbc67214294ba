"""scikit-learn's handwritten digits: 1,797 grey images of 8x8, part of the installed package."""

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image

from mixmatch.errors import DataError
from tasks.data.locate import EMBEDDED, LocatedData
from tasks.data.raw import RawData
from tasks.workspace import Workspace

# Of pixels, then labels, one byte each. Pinned, so that the data set is found without importing
# scikit-learn, which takes seconds; checked when it is read.
_DIGEST = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"
_HIGHEST_PIXEL = 16  # each counts the set pixels of a 4x4 block (UCI, optdigits.names)


def locate(root: Path | None, workspace: Workspace) -> LocatedData:
    """Say that the data set is embedded; nothing is read."""
    del root, workspace  # every source has this signature
    return LocatedData(label=EMBEDDED, source_digest=_DIGEST, path=None)


def read(path: Path | None) -> RawData:
    """Load the images, scaled from 0..16 to 0..255; there is no test split of its own.

    Raises:
        DataError: the installed scikit-learn holds other digits.
    """
    from sklearn.datasets import load_digits  # noqa: PLC0415  takes seconds to import

    del path  # every source has this signature
    digits = load_digits()
    pixels, labels = digits.images.astype(np.uint8), digits.target.astype(np.uint8)
    digest = hashlib.sha256(pixels.tobytes() + labels.tobytes()).hexdigest()
    if digest != _DIGEST:
        raise DataError(
            f"scikit-learn's digits must have SHA-256 {_DIGEST}, got {digest}; install the "
            "version that requirements.lock names."
        )
    images = np.rint(pixels * (255 / _HIGHEST_PIXEL)).astype(np.uint8)
    return RawData(
        labels=labels.astype(np.int64),
        rows={"train": np.arange(len(labels))},
        classes=tuple("0123456789"),
        draw=lambda row: Image.fromarray(images[row]),
        digest=digest,
    )
