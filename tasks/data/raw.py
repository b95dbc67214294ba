"""A data set as its source holds it: labels at hand, images decoded one by one on demand."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mixmatch.errors import ConfigError, DataError

if TYPE_CHECKING:
    from PIL.Image import Image

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RawData:
    """Images of any size with their labels, before resizing and splitting.

    Attributes:
        labels: int64, shape (N,), each in [0, number of classes).
        rows: row numbers by the split that the source itself makes: always ``train``; and
            ``validation`` and ``test`` where it has them.
        classes: class names in the order of the labels.
        draw: maps a row number to its image; safe to call from several threads.
        digest: SHA-256 that stands for the content.
        groups: int64, shape (N,): pictures of one and the same thing have one number, and are never
            divided between splits; None: every image is of its own.
    """

    labels: NDArray[np.int64]
    rows: Mapping[str, Rows]
    classes: tuple[str, ...]
    draw: "Callable[[int], Image]"
    digest: str
    groups: NDArray[np.int64] | None = None


def in_order(raw: RawData, classes: Sequence[str]) -> RawData:
    """Return ``raw`` with its labels renumbered so that ``classes`` is their order.

    Raises:
        ConfigError: ``classes`` is not a permutation of the data set's names.
    """
    if sorted(classes) != sorted(raw.classes):
        raise ConfigError(
            "data.classes must name every class of the data set once, got "
            f"{len(classes)} names for {len(raw.classes)} classes: "
            f"{difference(raw.classes, classes)}."
        )
    new_labels = np.array([classes.index(name) for name in raw.classes], dtype=np.int64)
    return replace(raw, labels=new_labels[raw.labels], classes=tuple(classes))


def with_validation(raw: RawData, extra: RawData) -> RawData:
    """Return ``raw`` with the images of ``extra`` as its validation split.

    Images that ``raw`` itself holds for validation are left out. Classes are matched by name; as a
    folder's name has no ``/``, ``_`` stands for it.

    Raises:
        DataError: the two do not have the same classes.
    """
    names = [name.replace("/", "_") for name in raw.classes]
    if sorted(names) != sorted(extra.classes):
        raise DataError(
            "data.validation_root must hold one folder for each class of the data set: "
            f"{difference(names, extra.classes)}."
        )
    first = len(raw.labels)
    relabel = np.array([names.index(name) for name in extra.classes], dtype=np.int64)

    def draw(row: int) -> "Image":
        return raw.draw(row) if row < first else extra.draw(row - first)

    return replace(
        raw,
        labels=np.concatenate([raw.labels, relabel[extra.labels]]),
        rows={**raw.rows, "validation": extra.rows["train"] + first},
        draw=draw,
        groups=None,  # they matter to a split that is not made now
    )


def difference(expected: Collection[str], found: Collection[str]) -> str:
    """Say in a few words which names are missing, unknown or given twice; at most five of each."""
    parts = {
        "missing": sorted(set(expected) - set(found)),
        "unknown": sorted(set(found) - set(expected)),
        "repeated": sorted({name for name in found if list(found).count(name) > 1}),
    }
    return "; ".join(f"{kind} {_first_five(names)}" for kind, names in parts.items() if names)


def _first_five(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
