"""What a reader of a study must know before believing a number, as sentences."""

from collections.abc import Iterator, Sequence

from mixmatch.config import RunConfig
from tasks.labels import DENSE
from tasks.study.row import StudyRow
from tasks.study.table_rows import StudyTables
from tasks.study.tables import SAME_SPARSITY
from tasks.study.training import inequality

CHANCE = (
    "Intervals and probabilities show the chance in the test images, those of fronts also that in "
    "the validation images; none shows that in training."
)


def reading_notes(
    config: RunConfig, rows: Sequence[StudyRow], tables: StudyTables, failed: Sequence[str]
) -> list[str]:
    """Return the sentences, the gravest first.

    Args:
        config: the study's settings.
        rows: its results.
        tables: made from them.
        failed: labels of results that failed.
    """
    found = []
    if failed:
        found.append(f"{len(failed)} results failed and are missing: {', '.join(failed)}.")
    found += _of_origins(rows)
    if unequal := inequality(config.fine_tune):
        found.append(unequal)
    found += _of_references(config, rows)
    found += _of_pairs(tables)
    return [*found, *_of_seeds(tables)]


def _of_origins(rows: Sequence[StudyRow]) -> Iterator[str]:
    """Warn of rows that do not fit together."""
    num_bases = len({row.base_digest for row in rows})
    if num_bases > 1:
        yield (
            f"The results come from {num_bases} different base networks, as when the base was "
            "trained again on another machine; drops are against each result's own base, and "
            "comparisons across bases (num_bases in the CSV files) mix two causes: they are "
            "marked and count as no claim."
        )
    if (num_data := len({row.data_digest for row in rows})) > 1:
        yield f"The results were measured on {num_data} different data files: do not compare them."
    versions = {tuple(sorted(x.execution.versions.items())) for x in rows if x.execution}
    if len(versions) > 1:
        told = " and ".join(", ".join(f"{x} {y}" for x, y in one) for one in sorted(versions))
        yield f"The results were computed with {told}, which may differ in the last bits."


def _of_references(config: RunConfig, rows: Sequence[StudyRow]) -> Iterator[str]:
    """Warn where a drop is missing or flatters."""
    if all(row.kind != "base" for row in rows):
        yield "The base has no result yet, so no drop and no front can be stated."
    if DENSE not in config.compare:
        yield (
            "There is no dense control (compare: [dense]): drops are against the base as it came, "
            "and fine-tuning alone may have repaired what pruning lost."
        )
        return
    bases = {row.base_digest for row in rows}
    controlled = {row.base_digest for row in rows if row.kind == "dense"}
    if missing := bases - controlled:
        yield (
            f"The dense control has no result for {len(missing)} of {len(bases)} base networks, so "
            "drops of their results are not stated."
        )


def _of_pairs(tables: StudyTables) -> Iterator[str]:
    """Name what is compared with nothing."""
    family = [x.label for x in tables.summary if x.kind == "family"]
    rivals = [x for x in tables.summary if x.kind == "rival"]
    pairs = {(x.label, x.rival) for x in tables.comparisons}
    lonely: dict[tuple[str, ...], list[str]] = {}
    names = tuple(dict.fromkeys(x.name for x in rivals))
    for label in family:
        missing = tuple(name for name in names if (label, name) not in pairs)
        lonely.setdefault(missing, []).append(label)
    within = f"within {SAME_SPARSITY:g} of the sparsity, on a common seed"
    for missing, labels in lonely.items():
        if missing:
            yield (
                f"Not compared with {', '.join(missing)}, for want of a result {within}: "
                f"{', '.join(labels)}."
            )
    compared = {x.rival_label for x in tables.comparisons}
    if unused := [x.label for x in rivals if x.label not in compared]:
        yield (
            f"Not compared with the family, for want of a configuration {within}: "
            f"{', '.join(unused)}."
        )


def _of_seeds(tables: StudyTables) -> Iterator[str]:
    """Say what intervals leave out; always, because no number of seeds is in them."""
    numbers = {x.num_results for x in tables.summary if x.kind in {"family", "rival"}}
    if len(numbers) > 1:
        low, high = min(numbers), max(numbers)
        yield f"Not all configurations have equally many seeds: from {low} to {high}."
    yield f"{CHANCE} There is one seed, so nothing shows the latter." if numbers == {1} else CHANCE
