"""Studies of one base within different ranges or by another criterion, at equal sparsities."""

from collections.abc import Mapping, Sequence

import numpy as np

from mixmatch.errors import DataError
from mixmatch.statistics import paired_bootstrap
from tasks.report.texts import points
from tasks.study.configurations import Configuration, configurations
from tasks.study.folder import StudyFolder
from tasks.study.markdown import table

# Study, and the one beside it: first what the ranges alone do, then with the criterion.
PAIRS = (
    ("vgg11-wide", "vgg11-observed"),
    ("resnet18-wide", "resnet18-observed"),
    ("levit384-wide", "levit384-observed"),
    ("swin-tiny-wide", "swin-tiny-observed"),
    ("vgg11-lamp", "vgg11-observed"),
    ("levit384-lamp", "levit384-observed"),
    ("vgg11-observed", "vgg11"),
    ("vgg11-wide", "vgg11"),
    ("levit384-observed", "levit384"),
    ("levit384-wide", "levit384"),
)
_HEADINGS = (
    *("study", "beside", "sparsity %", "configuration", "beside it"),
    *("gain on test, points (95 %)", "more accurate"),
)
_NEAR = 0.002  # of sparsity, as between family and rivals

_Pair = tuple[Configuration, Configuration]


def ranges_table(folders: Mapping[str, StudyFolder]) -> str:
    """Return a line for every sparsity that both studies of a pair have, and one of the means.

    A gain is that of paired bootstrap resamples of the test images, over the seeds of both.

    Raises:
        DataError: two studies are not of the same base and data, or seeds.
    """
    lines = []
    for pair in PAIRS:
        if folders.keys() >= set(pair):
            lines += _lines(*pair, _at_equal_sparsity(*(folders[name] for name in pair)))
    return table(_HEADINGS, lines)


def _at_equal_sparsity(one: StudyFolder, beside: StudyFolder) -> list[_Pair]:
    rows = (*one.rows(), *beside.rows())
    if len({(row.base_digest, row.data_digest) for row in rows}) > 1:
        raise DataError(f"{one.path} and {beside.path} must be of the same base and data.")
    pairs = []
    for mine in _family(one):
        near = [x for x in _family(beside) if abs(x.sparsity - mine.sparsity) <= _NEAR]
        if near:
            pairs.append((mine, min(near, key=lambda x: abs(x.sparsity - mine.sparsity))))
    seeds = {tuple(row.seed for row in x.rows) for pair in pairs for x in pair}
    if len(seeds) > 1:  # else a mean would weigh one sparsity more than another
        raise DataError(f"{one.path} and {beside.path} must have the same seeds, got {seeds}.")
    return pairs


def _family(folder: StudyFolder) -> list[Configuration]:
    found = [x for x in configurations(folder.rows()) if x.kind == "family"]
    return sorted(found, key=lambda x: x.sparsity)


def _lines(one: str, beside: str, pairs: Sequence[_Pair]) -> list[tuple[str, ...]]:
    lines = [
        (
            one,
            beside,
            f"{100 * mine.sparsity:.2f}",
            mine.label,
            other.label,
            *_gain([(mine, other)]),
        )
        for mine, other in pairs
    ]
    if len(pairs) > 1:
        lines.append((one, beside, "mean", "", "", *_gain(pairs)))
    return lines


def _gain(pairs: Sequence[_Pair]) -> tuple[str, str]:
    mine, other = (
        np.concatenate([pair[side].all_correct_test() for pair in pairs]) for side in (0, 1)
    )
    found = paired_bootstrap(mine, other)
    text = f"{points(found.difference)} ({points(found.low)} to {points(found.high)})"
    if found.low > 0:
        return text, "study"
    return text, "beside" if found.high < 0 else "undecided"
