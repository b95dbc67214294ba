import pytest

from mixmatch.config import RunConfig
from mixmatch.errors import ConfigError
from tasks.study.across import compare_studies
from tasks.study.folder import StudyFolder


@pytest.fixture
def make_study(tmp_path, study_config):
    """Write a study's folder; returns it."""

    def make(name, rows, **fine_tune):
        settings = study_config.model_dump(by_alias=True) | {"fine_tune": fine_tune}
        folder = StudyFolder.open(tmp_path / name, RunConfig.model_validate(settings))
        for row in rows:
            folder.append(row)
        return folder

    return make


def changed(rows, kind, **update):
    return [row.model_copy(update=update) if row.kind == kind else row for row in rows]


@pytest.fixture
def plain(make_study, study_rows):
    return make_study("plain", study_rows)


def test_a_study_is_a_line(plain):
    (line,) = compare_studies({"plain": plain}).studies
    assert (line.study, line.architecture, line.num_results) == ("plain", "resnet18", 9)
    assert line.epochs == 4 * 2
    assert (line.base.test_mean, line.dense.test_mean) == (0.8, pytest.approx(0.85))
    # On validation the control has 0.9, balanced 0.85, aggressive 0.55: none within a point.
    assert line.sparsest is None
    assert (line.front.kind, line.front.num_points) == ("family", 2)


def test_the_sparsest_that_keeps_the_accuracy_is_chosen_on_validation(make_study, study_rows):
    control = study_rows[1].validation
    rows = [
        row.model_copy(update={"validation": control}) if row.name == "aggressive" else row
        for row in study_rows
    ]
    (line,) = compare_studies({"one": make_study("one", rows)}).studies
    assert line.sparsest.label == "aggressive/magnitude"
    assert line.sparsest.drop == pytest.approx(0.3, abs=1e-15)  # on test it lost much more


def test_equal_fronts_differ_by_nothing_in_every_resample(plain, make_study, study_rows):
    found = compare_studies({"plain": plain, "again": make_study("again", study_rows)})
    (row,) = found.fronts
    assert (row.study, row.beside) == ("again", "plain")
    assert (row.difference, row.low, row.high, row.probability) == (0.0, 0.0, 0.0, 0.5)


def test_a_worse_front_is_smaller_than_the_first_study_s(plain, make_study, study_rows):
    worse = changed(study_rows, "family", test=study_rows[-1].test)
    third = make_study("third", study_rows)
    found = compare_studies({"plain": plain, "worse": make_study("worse", worse), "third": third})
    row, other = found.fronts
    assert (row.study, row.beside, other.beside) == ("worse", "plain", "plain")
    assert row.difference == pytest.approx(-0.09, abs=1e-15)
    assert (row.area, row.probability < 0.05) == (0.0, True)
    assert row.low < row.difference <= row.high <= 0.0


def test_what_only_the_other_has_is_left_out(plain, make_study, study_rows):
    fewer = make_study("fewer", [row for row in study_rows if row.name != "aggressive"])
    (row,) = compare_studies({"plain": plain, "fewer": fewer}).fronts
    assert row.left_out == ("aggressive/magnitude",)
    assert (row.epochs, row.beside_epochs, row.difference) == (4, 4, 0.0)
    (other_way,) = compare_studies({"fewer": fewer, "plain": plain}).fronts
    assert (other_way.left_out, other_way.epochs, other_way.beside_epochs) == ((), 8, 4)
    assert other_way.area == row.area + other_way.difference


def test_the_gain_is_that_of_the_same_configurations_and_seeds(
    plain, make_study, study_rows, make_row
):
    better = make_row("family", "aggressive", "1111111111", num_nonzero=100, key="f" * 64)
    rows = [x for x in study_rows if x.name != "aggressive"]
    (row,) = compare_studies({"plain": plain, "other": make_study("other", [*rows, better])}).fronts
    # Two of the three are the other's own networks; the third got ten right instead of five.
    assert (row.num_same, row.gain.num_pairs, row.gain.mean) == (2, 1, pytest.approx(0.5))
    assert row.gain.low < row.gain.mean < row.gain.high
    assert (row.sparsest, row.sparsest_gain) == ("aggressive/magnitude", row.gain)
    other = make_study("another", changed(rows, "family", num_nonzero=123))
    (row,) = compare_studies({"plain": plain, "another": other}).fronts
    assert (row.num_same, row.gain, row.sparsest, row.sparsest_gain) == (0, None, None, None)


def test_the_sparsest_that_both_have_trained_stands_by_itself_too(plain, make_study, study_rows):
    trained = [
        row.model_copy(update={"key": f"{number:064d}"}) if row.kind == "family" else row
        for number, row in enumerate(study_rows)
    ]
    (row,) = compare_studies({"plain": plain, "anew": make_study("anew", trained)}).fronts
    assert (row.num_same, row.gain.num_pairs) == (0, 4)
    assert (row.sparsest, row.sparsest_gain.num_pairs) == ("aggressive/magnitude", 2)


def test_one_target_within_other_ranges_is_the_same_configuration(make_study, study_rows, make_row):
    def study(name, sparsity, key):
        target = make_row("family", "target_0.9", "1111111000", sparsity=sparsity, key=key * 64)
        return make_study(name, [*study_rows, target])

    studies = {"near": study("near", 0.90001, "e"), "other": study("other", 0.89999, "f")}
    (row,) = compare_studies(studies).fronts
    assert (row.gain.num_pairs, row.sparsest) == (1, "target_0.9/magnitude")


def test_fronts_of_other_sparsities_are_compared_whole(plain, make_study, study_rows):
    fewer = [row for row in study_rows if row.name != "aggressive"]
    other = make_study("other", changed(fewer, "family", num_nonzero=123))
    (row,) = compare_studies({"plain": plain, "other": other}).fronts
    assert (row.left_out, row.epochs, row.beside_epochs) == ((), 4, 8)


@pytest.mark.parametrize("what", ["base_digest", "data_digest"])
def test_studies_of_other_networks_or_data_are_not_compared(plain, make_study, study_rows, what):
    other = make_study("other", [row.model_copy(update={what: "e" * 64}) for row in study_rows])
    mixed = make_study("mixed", [*study_rows[:-1], study_rows[-1].model_copy(update={what: "e"})])
    assert compare_studies({"plain": plain, "other": other, "mixed": mixed}).fronts == ()


def test_a_chain_counts_inherited_epochs_once(make_study, study_rows):
    inherited = changed(study_rows, "family", epochs_before=1)
    chain = make_study("chain", inherited, order="chain", max_epochs=2)
    budget = make_study("budget", inherited, budget={"epochs": 8}, max_epochs=2)
    found = compare_studies({"chain": chain, "budget": budget})
    assert [line.epochs for line in found.studies] == [4, 8]


def test_a_study_without_rows_is_a_line_too(make_study):
    (line,) = compare_studies({"new": make_study("new", [])}).studies
    assert (line.num_results, line.base, line.sparsest, line.front) == (0, None, None, None)


def test_a_folder_without_a_study_is_refused(tmp_path):
    with pytest.raises(ConfigError) as error:
        StudyFolder.read(tmp_path)
    assert str(error.value) == f"A results folder must hold a study (study.json), got {tmp_path}."
