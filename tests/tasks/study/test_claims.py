import pytest

from tasks.study.claims import claims, verdict
from tasks.study.table_rows import ComparisonRow


def comparison(strategy, probability, difference, criterion="magnitude", num_bases=1):
    return ComparisonRow(
        label=f"{strategy}/{criterion}",
        rival_label="MAG@0.9",
        strategy=strategy,
        criterion=criterion,
        sparsity=0.9,
        rival="MAG",
        asked_sparsity=0.9,
        rival_sparsity=0.9,
        seeds=(0,),
        test=0.8,
        rival_test=0.7,
        difference=difference,
        low=0.0,
        high=0.2,
        probability=probability,
        num_bases=num_bases,
    )


@pytest.mark.parametrize(
    ("probability", "word"),
    [
        *[(1.0, "family"), (0.975, "family"), (0.974, "undecided")],
        *[(0.026, "undecided"), (0.024, "rival")],
    ],
)
def test_a_comparison_is_decided_where_its_95_percent_interval_is(probability, word):
    assert verdict(probability) == word


def test_claims_count_what_is_decided():
    rows = [comparison("a", 0.99, 0.03), comparison("b", 0.5, 0.0), comparison("c", 0.01, -0.01)]
    assert claims([*rows, comparison("a", 0.5, 0.0, criterion="product")])[0] == (
        "family by magnitude against MAG at equal sparsity: more accurate in 1, less accurate in "
        "1, undecided in 1 of 3 comparisons; +0.67 points on average; probabilities from 0.010 (c) "
        "to 0.990 (a)."
    )


def test_comparisons_across_bases_are_counted_by_themselves():
    across = comparison("b", 0.99, 0.5, num_bases=2)
    assert claims([comparison("a", 0.99, 0.03), across]) == [
        "family by magnitude against MAG at equal sparsity: more accurate in 1, less accurate in "
        "0, undecided in 0 of 1 comparisons; +3.00 points on average; probabilities from 0.990 (a) "
        "to 0.990 (a). Between different base networks, not counted: 1."
    ]
    assert claims([across]) == [
        "family by magnitude against MAG at equal sparsity: no comparison within one base network. "
        "Between different base networks, not counted: 1."
    ]
