import csv

import pytest

from tasks.study.csv_files import write_tables
from tasks.study.tables import make_tables

NAMES = ("results.csv", "summary.csv", "comparisons.csv", "fronts.csv")


@pytest.fixture
def written(tmp_path, study_rows):
    tables = make_tables(study_rows, wants_dense=True)
    write_tables(tmp_path, study_rows, tables, wants_dense=True)
    return tmp_path


def read(folder, name):
    with (folder / name).open(newline="") as file:
        return list(csv.DictReader(file))


def test_results_hold_one_line_per_row_without_bits(written, study_rows):
    rows = read(written, "results.csv")
    assert [row["label"] for row in rows] == [row.label for row in study_rows]
    assert "correct_bits" not in (written / "results.csv").read_text()
    (row,) = [row for row in rows if row["label"] == "aggressive/magnitude/1"]
    assert (row["test"], row["test_num_images"], row["sparsity"]) == ("0.6", "10", "0.9")
    assert (row["criterion"], row["asked_sparsity"], row["mask_digest"]) == ("magnitude", "", "")
    assert (row["reference"], row["versions"]) == ("dense", "python=3.11.2 torch=2.13.0")
    assert float(row["drop"]) == pytest.approx(0.25, abs=1e-15)


def test_several_values_share_a_cell(written):
    row = read(written, "summary.csv")[2]
    assert (row["seeds"], row["test_values"], row["on_front"]) == ("0 1", "0.8 0.9", "true")


def test_columns_that_came_later_are_the_last(written):
    rows = read(written, "summary.csv")
    later = ["on_size_front", "int8_validation_mean", "int8_test_mean", "int8_bytes"]
    later += ["drop_low", "drop_high", "epochs"]
    assert list(rows[0])[-8:] == ["num_bases", *later]
    assert [row["on_size_front"] for row in rows] == ["", "", "true", "true", ""]


def test_comparisons_and_fronts_are_there(written):
    assert [row["rival"] for row in read(written, "comparisons.csv")] == ["MAG"]
    assert [row["reference_sparsity"] for row in read(written, "fronts.csv")] == ["0.0", "0.0"]


def test_the_same_rows_give_the_same_bytes(written, study_rows, tmp_path):
    before = {name: (written / name).read_bytes() for name in NAMES}
    backwards = study_rows[::-1]
    tables = make_tables(backwards, wants_dense=True)
    write_tables(tmp_path, backwards, tables, wants_dense=True)
    assert {name: (written / name).read_bytes() for name in NAMES} == before


def test_empty_tables_have_their_headings(tmp_path):
    write_tables(tmp_path, (), make_tables((), wants_dense=True), wants_dense=True)
    assert (tmp_path / "fronts.csv").read_text().startswith("kind,name,num_points,")


def test_a_drop_without_the_control_that_was_asked_for_is_an_empty_cell(tmp_path, study_rows):
    rows = [row for row in study_rows if row.kind != "dense"]
    for wants_dense, cells in ((True, ("", "")), (False, ("0.0", "base"))):
        tables = make_tables(rows, wants_dense=wants_dense)
        write_tables(tmp_path, rows, tables, wants_dense=wants_dense)
        row = read(tmp_path, "results.csv")[1]
        assert (row["label"], row["drop_from_base"]) == ("balanced/magnitude/0", "0.0")
        assert (row["drop"], row["reference"]) == cells
