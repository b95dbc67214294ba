import io

import pytest
from rich.console import Console

from flows.cli.study_table import print_study
from tasks.study.summary import StudySummary
from tasks.study.table_rows import ComparisonRow, StudyTables, SummaryRow

SUMMARY = SummaryRow(
    label="balanced/magnitude",
    kind="family",
    name="balanced",
    also=("percentile_50",),
    criterion="magnitude",
    asked_sparsity=None,
    num_results=2,
    seeds=(0, 1),
    sparsity=0.8125,
    bytes=8_900_000.5,
    validation_mean=0.975,
    validation_deviation=0.01,
    validation_values=(0.97, 0.98),
    test_mean=0.9625,
    test_deviation=0.0025,
    test_low=0.941,
    test_high=0.976,
    test_values=(0.96, 0.965),
    drop_from_base=0.005,
    drop_from_dense=0.0075,
    drop=0.0075,
    reference="dense",
    on_front=True,
    front_share=0.8,
    seconds=20.0,
    cpu_seconds=None,
    num_bases=1,
)
BASE = SUMMARY.model_copy(
    update={
        "label": "base",
        "kind": "base",
        "also": (),
        "test_deviation": None,
        "drop": None,
        "on_front": None,
        "front_share": None,
    }
)
COMPARISON = ComparisonRow(
    label="balanced/magnitude",
    rival_label="MAG@0.8125",
    strategy="balanced",
    criterion="magnitude",
    sparsity=0.8125,
    rival="MAG",
    asked_sparsity=0.8125,
    rival_sparsity=0.8125,
    seeds=(0, 1),
    test=0.9625,
    rival_test=0.95,
    difference=0.0125,
    low=-0.0025,
    high=0.02,
    probability=0.9123,
    num_bases=1,
)


@pytest.fixture
def printed():
    def show(*, summary=(BASE, SUMMARY), comparisons=(COMPARISON,), failed=()):
        console = Console(file=io.StringIO(), width=120, highlight=False, markup=False)
        tables = StudyTables(summary=summary, comparisons=comparisons, fronts=())
        summary = StudySummary(
            folder="/somewhere/results", num_rows=9, num_new=3, failed=dict(failed), tables=tables
        )
        print_study(console, summary)
        return console.file.getvalue()

    return show


def line_of(text, *words):
    (found,) = [line for line in text.splitlines() if all(word in line for word in words)]
    return " ".join(found.split())


def test_each_configuration_is_a_row_with_the_front_marked(printed):
    text = printed()
    assert line_of(text, "balanced/magnitude", "0.80") == (
        "* balanced/magnitude 2 81.25 97.50 96.25 (94.1-97.6) 0.25 0.75 dense 8.90 0.80"
    )
    assert line_of(text, "base", "8.90") == "base 2 81.25 97.50 96.25 (94.1-97.6) - - 8.90"
    assert "= percentile_50" in text


def test_each_comparison_is_a_row_with_its_probability(printed):
    assert line_of(printed(), "MAG@") == (
        "balanced/magnitude MAG@0.8125 96.25 95.00 +1.25 (-0.25 to 2.00) 0.912"
    )


def test_comparisons_across_bases_are_marked_and_counted(printed):
    text = printed(comparisons=(COMPARISON, COMPARISON.model_copy(update={"num_bases": 2})))
    assert text.count("0.912!") == 1
    assert "! between different base networks, which mixes two causes: 1 of 2 comparisons" in text
    assert "between different base networks" not in printed()


def test_drops_against_the_references_of_several_bases_are_marked(printed):
    text = printed(summary=(SUMMARY.model_copy(update={"reference": None}),))
    assert "0.75 several 8.90" in line_of(text, "balanced/magnitude", "0.80")


def test_without_rivals_it_says_so(printed):
    assert "No rival was compared at a sparsity of the family.\n" in printed(comparisons=())


def test_failures_and_places_stand_below(printed):
    text = printed(failed={"MAG@0.9000/0": "it diverged"})
    assert "FAILED: MAG@0.9000/0: it diverged\n" in text
    assert "Page           /somewhere/results/README.md\n" in text
