import math
import random

import numpy as np
import pytest

from mixmatch.pareto import TradeOff, front_shares
from mixmatch.statistics import paired_bootstrap
from tasks.study.intervals import wilson_of_mean
from tasks.study.tables import make_tables


@pytest.fixture
def tables(study_rows):
    return make_tables(study_rows, wants_dense=True)


def summary_of(tables, label):
    (found,) = [row for row in tables.summary if row.label == label]
    return found


def test_configurations_stand_in_one_order_whatever_that_of_the_rows(study_rows, tables):
    shuffled = list(study_rows)
    random.Random(0).shuffle(shuffled)
    assert make_tables(shuffled, wants_dense=True) == tables
    assert [row.label for row in tables.summary] == [
        "base",
        "dense",
        "balanced/magnitude",
        "aggressive/magnitude",
        "MAG@0.599",
    ]


def test_seeds_become_mean_deviation_interval_and_all_values(tables):
    row = summary_of(tables, "balanced/magnitude")
    assert (row.num_results, row.seeds) == (2, (0, 1))
    assert (row.test_mean, row.test_values) == (0.85, (0.8, 0.9))
    assert row.test_deviation == pytest.approx(math.sqrt(0.005))  # rounding of 0.9 - 0.8
    # Ten images, however many seeds: Wilson at 8.5 of 10.
    assert (row.test_low, row.test_high) == wilson_of_mean(0.85, 10)
    assert (row.sparsity, row.bytes, row.seconds, row.cpu_seconds) == (0.6, 1700, 20.0, 30.0)


def test_one_result_has_no_deviation(tables):
    assert summary_of(tables, "base").test_deviation is None


def test_drops_are_against_the_better_of_base_and_control_on_validation(tables):
    row = summary_of(tables, "balanced/magnitude")
    # Base 0.8; control: validation 0.9 and 0.9, test 0.9 and 0.8.
    assert row.reference == "dense"
    assert (row.drop, row.drop_from_dense) == (0.0, 0.0)
    assert row.drop_from_base == pytest.approx(-0.05, abs=1e-15)
    assert summary_of(tables, "aggressive/magnitude").drop == pytest.approx(0.3, abs=1e-15)


def test_a_drop_has_the_interval_of_paired_resamples(tables):
    dense = np.array([[x == "1" for x in bits] for bits in ("1111111110", "1111111100")])
    aggressive = np.array([[x == "1" for x in bits] for bits in ("1111100000", "1111110000")])
    loss = paired_bootstrap(dense, aggressive)
    row = summary_of(tables, "aggressive/magnitude")
    assert (row.drop_low, row.drop_high) == (loss.low, loss.high)
    assert loss.low < row.drop < loss.high
    assert summary_of(tables, "base").drop_low is None


def test_the_front_is_the_familys_alone(tables):
    assert {row.label: row.on_front for row in tables.summary} == {
        "base": None,
        "dense": None,
        "balanced/magnitude": True,
        "aggressive/magnitude": True,
        "MAG@0.599": None,
    }
    assert summary_of(tables, "aggressive/magnitude").front_share == 1.0


def test_the_size_front_is_found_over_bytes_not_over_sparsity(study_rows):
    # The sparser one is in the larger file, for both seeds.
    rows = [
        row.model_copy(update={"bytes": 9000}) if row.name == "aggressive" else row
        for row in study_rows
    ]
    summary = make_tables(rows, wants_dense=True).summary
    assert {row.label: (row.on_front, row.on_size_front) for row in summary} == {
        "base": (None, None),
        "dense": (None, None),
        "balanced/magnitude": (True, True),
        "aggressive/magnitude": (True, False),
        "MAG@0.599": (None, None),
    }


def test_sizes_are_compared_at_their_mean_whatever_the_number_of_seeds(make_row):
    rows = [
        make_row("family", "balanced", "1111", num_nonzero=400, bytes=10),
        make_row("family", "balanced", "1111", num_nonzero=400, bytes=20, seed=1),
        make_row("family", "aggressive", "1110", num_nonzero=100, bytes=14),
        make_row("family", "feature_heavy", "1110", num_nonzero=300, bytes=16),
    ]
    tables = make_tables(rows, wants_dense=False)
    assert summary_of(tables, "balanced/magnitude").bytes == 15
    assert summary_of(tables, "aggressive/magnitude").on_size_front is True
    assert summary_of(tables, "feature_heavy/magnitude").on_size_front is False


def test_the_family_is_compared_with_the_rival_at_its_sparsity(tables):
    (row,) = tables.comparisons
    assert (row.strategy, row.rival, row.asked_sparsity, row.seeds) == (
        "balanced",
        "MAG",
        0.599,
        (0, 1),
    )
    assert (row.test, row.rival_test) == (0.85, 0.45)
    assert row.difference == pytest.approx(0.4, abs=1e-15)
    # On five of ten images both are equal: all ten drawn are of these once in 2 ** 10 times.
    assert row.probability == pytest.approx(1 - 0.5 / 1024, abs=1e-3)
    assert row.low <= 0.4 <= row.high


def test_a_rival_at_another_sparsity_is_not_compared(study_rows):
    moved = [
        row.model_copy(update={"asked_sparsity": 0.597}) if row.kind == "rival" else row
        for row in study_rows
    ]
    assert make_tables(moved, wants_dense=True).comparisons == ()


def test_the_best_of_both_at_a_sparsity_are_those_that_validation_chooses(study_rows, make_row):
    more = [
        # More accurate on test, less on validation.
        make_row("rival", "SNIP", "1111111111", num_nonzero=401, validation="1110000000"),
        make_row("family", "other", "1111111111", num_nonzero=400, validation="1110000000"),
        # Nothing of the family is as sparse.
        make_row("rival", "SNIP", "1111111111", num_nonzero=300),
    ]
    (row,) = make_tables([*study_rows, *more], wants_dense=True).best
    assert (row.label, row.rival_label) == ("balanced/magnitude", "MAG@0.599")
    assert row.difference == pytest.approx(0.4, abs=1e-15)
    assert row in make_tables(study_rows, wants_dense=True).comparisons


def test_only_seeds_that_both_have_are_compared(study_rows):
    (row,) = make_tables(
        [x for x in study_rows if x.label != "MAG@0.599/0"], wants_dense=True
    ).comparisons
    assert row.seeds == (1,)
    assert (row.test, row.rival_test) == (0.9, 0.5)
    rows = [x for x in study_rows if x.label not in {"MAG@0.599/0", "balanced/magnitude/1"}]
    assert make_tables(rows, wants_dense=True).comparisons == ()


def test_fronts_are_areas_above_the_stated_reference(tables):
    family, rival = tables.fronts
    assert (family.name, family.num_points, family.num_on_front) == ("family", 2, 2)
    # (0.6, 0.85) above (0, 0.7): 0.6 x 0.15; (0.9, 0.55) is below the reference.
    assert family.area_test == pytest.approx(0.09, abs=1e-15)
    assert family.area_low < family.area_test < family.area_high
    assert (rival.name, rival.area_test) == ("MAG", 0.0)
    assert family.reference_sparsity == 0.0
    assert family.reference_test == pytest.approx(0.7, abs=1e-15)


def test_several_criteria_have_a_front_each(study_rows):
    more = [
        row.model_copy(update={"criterion": "product"})
        for row in study_rows
        if row.kind == "family"
    ]
    names = [front.name for front in make_tables([*study_rows, *more], wants_dense=True).fronts]
    assert names == ["family", "family/magnitude", "family/product", "MAG"]


def test_rows_of_two_bases_are_counted_and_each_drop_is_against_its_own(study_rows):
    other = {"base_digest": "c" * 64}
    rows = [
        row.model_copy(update=other) if row.label == "balanced/magnitude/1" else row
        for row in study_rows
    ]
    row = summary_of(make_tables(rows, wants_dense=True), "balanced/magnitude")
    assert (row.num_bases, row.drop, row.reference) == (2, None, None)
    rows.append(study_rows[0].model_copy(update=other))
    assert summary_of(make_tables(rows, wants_dense=True), "balanced/magnitude").drop is None
    row = summary_of(make_tables(rows, wants_dense=False), "balanced/magnitude")
    # References 0.85 (control of the first base) and 0.8 (the second base itself).
    assert row.drop == pytest.approx(0.825 - 0.85, abs=1e-15)
    assert (row.reference, row.drop_low, row.drop_high) == (None, None, None)


def test_int8_files_are_stated_once_every_seed_has_one(study_rows, make_int8_row):
    int8 = {
        label: make_int8_row(label, test)
        for label, test in (
            ("balanced/magnitude/0", "1111111000"),
            ("balanced/magnitude/1", "1111110000"),
            ("MAG@0.599/0", "1111110000"),
        )
    }
    tables = make_tables(study_rows, wants_dense=True, int8=int8)
    row = summary_of(tables, "balanced/magnitude")
    assert (row.int8_test_mean, row.int8_validation_mean, row.int8_bytes) == (0.65, 0.65, 100.0)
    assert summary_of(tables, "MAG@0.599").int8_test_mean is None


def test_no_rows_give_empty_tables():
    tables = make_tables([], wants_dense=True)
    assert (tables.summary, tables.comparisons, tables.fronts) == ((), (), ())


def test_a_family_below_half_sparsity_has_an_area(study_rows):
    rows = [
        row.model_copy(update={"num_nonzero": 700}) if row.name == "balanced" else row
        for row in study_rows
    ]
    family = make_tables(rows, wants_dense=True).fronts[0]
    assert family.area_test == pytest.approx(0.3 * 0.15, abs=1e-15)


def test_ties_of_three_seeds_are_ties_in_every_resample(make_row):
    # The denser one is ahead where images 0 and 1 are drawn more often than 2 and 3. Where they are
    # drawn equally often it ties, which sums of thirds do not show.
    sparse, dense = (0, 1, 3, 2), (2, 3, 1, 0)
    rows = []
    for seed in range(3):
        for name, counts, num_nonzero in (("aggressive", sparse, 100), ("balanced", dense, 400)):
            right = "".join("1" if seed < count else "0" for count in counts)
            more = {"num_nonzero": num_nonzero, "seed": seed, "validation": right}
            rows.append(make_row("family", name, "1100", **more))
    tables = make_tables(rows, wants_dense=False)
    points = [TradeOff("sparse", 0.9, 0.5), TradeOff("dense", 0.6, 0.5)]
    expected = front_shares(points, np.array([sparse, dense]))
    found = [summary_of(tables, f"{x}/magnitude") for x in ("aggressive", "balanced")]
    assert [row.front_share for row in found] == expected == [1.0, 0.288]
    assert [row.on_front for row in found] == [True, False]
