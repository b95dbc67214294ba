"""Which results of a study get an int8 file, and what its row holds."""

import pytest

from mixmatch.records import Artifact, QuantizedRecord
from tasks.study.int8 import Int8Row, wanted_int8
from tasks.study.machine import Machine

FRONT = {
    f"{name}/{seed}" for name in ("balanced/magnitude", "aggressive/magnitude") for seed in "01"
}
RIVAL = {"MAG@0.599/0", "MAG@0.599/1"}


@pytest.mark.parametrize(
    ("quantize", "wanted"),
    [
        ("none", set()),
        ("front", FRONT | RIVAL),
        ("all", FRONT | RIVAL | {"dense/0", "dense/1"}),
    ],
)
def test_the_run_file_says_whose(study_rows, quantize, wanted):
    assert wanted_int8(study_rows, quantize) == wanted


def test_what_another_one_dominates_is_on_no_front(study_rows, make_row):
    worse = [
        make_row("family", "dominated", "1100000000", num_nonzero=500),
        make_row("rival", "MAG", "1111100000", num_nonzero=300),  # sparser and more accurate
    ]
    wanted = wanted_int8([*study_rows, *worse], "front")
    assert wanted == FRONT | {"MAG@0.7/0"}


def test_the_smallest_file_is_on_a_front_though_not_the_sparsest(study_rows, make_row):
    small = make_row("family", "small", "1111100000", num_nonzero=200, bytes=50)
    sparser = make_row("family", "sparser", "1111111100", num_nonzero=150)
    wanted = wanted_int8([study_rows[0], small, sparser], "front")
    assert wanted == {"small/magnitude/0", "sparser/magnitude/0"}


def test_a_row_holds_what_was_counted_and_where(study_rows):
    right = study_rows[0].validation
    record = QuantizedRecord(
        artifact=Artifact(digest="a" * 64, size_bytes=321),
        num_nonzero=90,
        sparsity=0.91,
        validation=right,
        test=right,
        seconds=2.5,
    )
    row = Int8Row.of("balanced/magnitude/0", record, Machine(hardware="CPU", versions={"x": "1"}))
    assert row.label == "balanced/magnitude/0"
    assert (row.bytes, row.num_nonzero, row.sparsity, row.seconds) == (321, 90, 0.91, 2.5)
    assert (row.validation, row.test, row.hardware, row.versions) == (
        right,
        right,
        "CPU",
        {"x": "1"},
    )
