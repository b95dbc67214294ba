import pytest

from mixmatch.config import RunConfig
from mixmatch.records import Execution
from tasks.study.notes import CHANCE, reading_notes
from tasks.study.tables import make_tables

UNCOMPARED = (
    "Not compared with MAG, for want of a result within 0.002 of the sparsity, on a common seed: "
    "aggressive/magnitude."
)


@pytest.fixture
def notes(study_config):
    """Say what must be known of some rows."""

    def of(rows, *, failed=(), **changes):
        values = study_config.model_dump(by_alias=True) | changes
        config = RunConfig.model_validate(values)
        tables = make_tables(rows, wants_dense="dense" in config.compare)
        return reading_notes(config, rows, tables, failed)

    return of


def changed(rows, label, **update):
    return [row.model_copy(update=update) if row.label == label else row for row in rows]


def test_what_intervals_leave_out_is_always_said(notes, study_rows):
    assert notes(study_rows) == [UNCOMPARED, CHANCE]
    no_base = "The base has no result yet, so no drop and no front can be stated."
    assert notes(()) == [no_base, CHANCE]


def test_one_seed_shows_nothing_of_the_chance_in_training(notes, study_rows):
    one = [row for row in study_rows if row.seed in {0, None}]
    assert notes(one)[-1] == f"{CHANCE} There is one seed, so nothing shows the latter."


def test_unequal_numbers_of_seeds_are_said(notes, study_rows):
    found = notes(study_rows[:-1], failed=["MAG@0.599/1"])
    assert found[0] == "1 results failed and are missing: MAG@0.599/1."
    assert "Not all configurations have equally many seeds: from 1 to 2." in found


def test_rows_of_several_bases_or_data_sets_are_said(notes, study_rows):
    (other, _, control, *_) = notes(changed(study_rows, "MAG@0.599/1", base_digest="c" * 64))
    assert other.startswith("The results come from 2 different base networks, as when")
    assert other.endswith("mix two causes: they are marked and count as no claim.")
    assert control == UNCOMPARED
    (other, *_) = notes(changed(study_rows, "MAG@0.599/1", data_digest="e" * 64))
    assert other == "The results were measured on 2 different data files: do not compare them."


def test_other_versions_are_said(notes, study_rows):
    execution = {"device": "cpu", "precision": "float32", "threads": 1}
    kept, other = (
        Execution(**execution, small_convolutions="native", versions={"torch": x})
        for x in ("2.14.1", "2.15.0")
    )
    rows = changed(study_rows, "balanced/magnitude/0", execution=kept)
    assert notes(rows) == [UNCOMPARED, CHANCE]
    (sentence, *_) = notes(changed(rows, "balanced/magnitude/1", execution=other))
    assert sentence == (
        "The results were computed with torch 2.14.1 and torch 2.15.0, which may differ in the "
        "last bits."
    )


def test_a_missing_control_is_said(notes, study_rows):
    (sentence, *_) = notes(study_rows, compare=("MAG",))
    assert sentence.startswith("There is no dense control (compare: [dense]): drops are against")
    (sentence, *_) = notes([row for row in study_rows if row.kind != "dense"])
    assert sentence == (
        "The dense control has no result for 1 of 1 base networks, so drops of their results are "
        "not stated."
    )


@pytest.mark.parametrize(
    ("fine_tune", "setting"),
    [
        ({"order": "chain"}, "fine_tune.order: chain"),
        ({"budget": {"epochs": 9}}, "fine_tune.budget"),
    ],
)
def test_unequal_fine_tuning_is_said(notes, study_rows, fine_tune, setting):
    (sentence, *_) = notes(study_rows, fine_tune=fine_tune)
    assert sentence.startswith(f"Fine-tuning is not equal ({setting}): ")


def test_what_is_compared_with_nothing_is_named(notes, study_rows):
    moved = [
        row.model_copy(update={"asked_sparsity": 0.5}) if row.kind == "rival" else row
        for row in study_rows
    ]
    snip = [row.model_copy(update={"name": "SNIP"}) for row in study_rows if row.kind == "rival"]
    within = "within 0.002 of the sparsity, on a common seed"
    assert notes([*moved, *snip])[:-1] == [
        f"Not compared with MAG, for want of a result {within}: balanced/magnitude.",
        f"Not compared with MAG, SNIP, for want of a result {within}: aggressive/magnitude.",
        f"Not compared with the family, for want of a configuration {within}: MAG@0.5.",
    ]
