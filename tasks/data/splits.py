"""Which rows train, calibrate, validate and test: disjoint, and fixed by one seed."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mixmatch.config import DataSettings
from mixmatch.errors import DataError
from tasks.data.raw import Rows

_ADVICE = {
    "train": "raise data.train_limit, or lower data.validation_fraction or calibration_fraction",
    "calibration": "raise data.train_limit, or lower data.validation_fraction",
    "validation": "raise data.validation_fraction",
    "test": "raise data.test_fraction",
}


def split_rows(
    found: Mapping[str, Rows],
    settings: DataSettings,
    calibration_fraction: float,
    seed: int,
    *,
    groups: NDArray[np.int64] | None = None,
) -> dict[str, Rows]:
    """Divide the rows of a data set into four disjoint splits.

    The training rows are shuffled once. From their front come, in this order, the test split
    (``test_fraction`` of them) and the validation split (``validation_fraction`` of the rest), each
    only where ``found`` has none; then ``train_limit`` cuts what is left; then the calibration
    split (at least one row) is taken. So a change of ``train_limit`` or ``calibration_fraction``
    moves neither test nor validation. Counts are rounded half to even.

    Args:
        found: row numbers by the split that the source makes: ``train``, and ``validation`` and
            ``test`` where it has them.
        settings: limits and fractions.
        calibration_fraction: part of the training images, in (0, 1).
        seed: of the shuffle (PCG64).
        groups: by row number; rows of one group go to test or validation all or none, so these two
            may be larger than asked by a part of a group. None: every row by itself.

    Returns:
        Row numbers of ``train``, ``calibration``, ``validation`` and ``test``. Those that come from
        the shuffle stay in its order, so that every stretch of them holds all classes.

    Raises:
        DataError: a split is empty; the message says which setting to change.
    """
    pool = np.random.Generator(np.random.PCG64(seed)).permutation(found["train"])
    splits: dict[str, Rows] = {}
    for split, fraction in (
        ("test", settings.test_fraction),
        ("validation", settings.validation_fraction),
    ):
        if split in found:
            splits[split] = found[split]
        else:
            splits[split], pool = _cut(pool, round(fraction * len(pool)), groups)
    pool = pool[: settings.train_limit]
    num_calibration = max(1, round(calibration_fraction * len(pool)))
    splits["calibration"], splits["train"] = np.split(pool, [num_calibration])
    for split, rows in splits.items():
        if len(rows) == 0:
            raise DataError(
                f"The {split} split must hold at least one image, but it is empty with "
                f"{len(found['train'])} images to divide; {_ADVICE[split]}."
            )
    return {split: splits[split] for split in _ADVICE}


def _cut(pool: Rows, num: int, groups: NDArray[np.int64] | None) -> tuple[Rows, Rows]:
    """Divide ``pool`` after ``num`` rows, or take whole groups from its front until these are."""
    if groups is None:
        front, rest = np.split(pool, [num])
        return front, rest
    found, first, sizes = np.unique(groups[pool], return_index=True, return_counts=True)
    order = np.argsort(first)
    before = np.cumsum(sizes[order]) - sizes[order]
    is_taken = np.isin(groups[pool], found[order[before < num]])
    return pool[is_taken], pool[~is_taken]


def renumber(splits: Mapping[str, Rows]) -> tuple[Rows, dict[str, Rows]]:
    """Return the rows that any split uses, ascending, and the splits as positions among them."""
    used = np.unique(np.concatenate(list(splits.values())))
    return used, {split: np.searchsorted(used, rows) for split, rows in splits.items()}
