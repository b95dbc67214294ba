import pytest

from tasks.study.facts import Session
from tasks.study.folder import StudyFolder
from tasks.study.page import write_page
from tasks.study.tables import make_tables


@pytest.fixture
def page(tmp_path, study_config):
    """Write the page of some rows and return its text."""
    folder = StudyFolder.open(tmp_path / "results", study_config)
    facts = folder.facts.model_copy(update={"hardware": "Some CPU, 2 cores"})

    def write(rows, **options):
        options = {"has_plan": True} | options
        write_page(folder.path, facts, rows, make_tables(rows), **options)
        return (folder.path / "README.md").read_text()

    return write


def test_says_what_was_compared_on_what(page, study_rows):
    text = page(study_rows)
    assert text.startswith("# Study digits-resnet18\n")
    assert "9 results, seeds 0, 1, criteria magnitude, at most 20 epochs" in text
    assert "Computed on Some CPU, 2 cores: " in text
    assert "beside dense, MAG, each with the same base" in text


def test_shows_every_configuration_with_the_front_marked(page, study_rows):
    text = page(study_rows)
    row = r"| \* | balanced/magnitude | 2 | 60.00 | 85.00 | 85.00 (64.0 to 94.8) | 7.07 | 0.00 | "
    assert row in text
    assert "|  | MAG@0.599 | 2 | 59.90 | 45.00 |" in text


def test_says_which_claims_hold_at_which_probability(page, study_rows):
    text = page(study_rows)
    assert (
        "* family by magnitude against MAG at equal sparsity: more accurate in 1, less accurate in "
        "0, undecided in 0 of 1 comparisons; +40.00 points on average;"
    ) in text
    assert "reference point at sparsity 0.5 and the base's accuracy minus 10 points" in text


def test_has_settings_and_the_command_that_makes_it_again(page, study_rows):
    text = page(study_rows)
    assert "strategies:\n- balanced\n- aggressive\n" in text
    assert "mixmatch study settings.yaml --results .\n" in text


def test_says_when_and_where_it_was_computed(page, study_rows):
    started = {"started_at": "2026-11-22T10:00:00+00:00", "hardware": "A", "versions": {"x": "1"}}
    ended = {"ended_at": "2026-11-22T10:01:00+00:00", "seconds": 60.4, "succeeded": True}
    killed = {"ended_at": None, "seconds": None, "succeeded": None}
    sessions = [Session(id="a", **started, **killed), Session(id="b", **started, **ended)]
    sessions[1] = sessions[1].model_copy(update={"started_at": "2026-11-22T11:00:00+00:00"})
    text = page(study_rows, sessions=sessions)
    assert "| 2026-11-22T10:00:00+00:00 | at least 30 | A | x 1 |" in text
    assert "| 2026-11-22T11:00:00+00:00 | 60 | A | x 1 |" in text
    assert "| family | 4 | 40 | 60 |" in text


def test_a_complete_study_needs_no_warning(page, study_rows):
    assert "Read first" not in page(study_rows)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"base_digest": "c" * 64}, "come from 2 different base networks"),
        ({"data_digest": "e" * 64}, "were measured on 2 different data files"),
    ],
)
def test_warns_of_rows_that_do_not_fit_together(page, study_rows, change, sentence):
    rows = (*study_rows[:-1], study_rows[-1].model_copy(update=change))
    assert sentence in page(rows)


def test_warns_of_what_is_missing(page, study_rows):
    text = page(study_rows[3:-1], failed=["MAG@0.599/1"])
    assert "1 results failed and are missing: MAG@0.599/1." in text
    assert "The base has no result yet" in text
    assert "There is no dense control" in text
    assert "equally many seeds yet: from 1 to 2." in text


def test_warns_of_a_single_seed(page, study_rows):
    assert "* One seed: intervals show" in page([x for x in study_rows if x.seed in {0, None}])


def test_an_empty_study_has_a_page_without_figures(page):
    text = page((), has_plan=False)
    assert "No rival was compared" in text
    assert ".svg)" not in text


def test_names_no_path(page, study_rows, tmp_path):
    assert str(tmp_path) not in page(study_rows)
