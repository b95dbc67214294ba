import pytest

from mixmatch.records import Execution
from tasks.study.facts import Session
from tasks.study.folder import StudyFolder
from tasks.study.notes import CHANCE
from tasks.study.page import write_page
from tasks.study.tables import make_tables


@pytest.fixture
def page(tmp_path, study_config):
    """Write the page of some rows and return its text."""
    folder = StudyFolder.open(tmp_path / "results", study_config)
    facts = folder.facts.model_copy(update={"hardware": "Some CPU, 2 cores"})

    def write(rows, *, fine_tune=None, **options):
        options, settings = {"has_plan": True} | options, facts.settings
        settings = settings | {"fine_tune": settings["fine_tune"] | (fine_tune or {})}
        changed = facts.model_copy(update={"settings": settings})
        tables = make_tables(rows, wants_dense=True, int8=options.pop("int8", {}))
        write_page(folder.path, changed, rows, tables, **options)
        return (folder.path / "README.md").read_text()

    return write


def test_says_what_was_compared_on_what(page, study_rows):
    text = page(study_rows)
    assert text.startswith("# Study digits-resnet18\n")
    assert "9 results, seeds 0, 1, criteria magnitude, at most 20 epochs" in text
    assert "Written down on Some CPU, 2 cores; what a store held already may" in text
    assert "beside dense, MAG, each with the same base, data, fine-tuning and seeds.\n" in text


def test_shows_every_configuration_with_the_front_marked(page, study_rows):
    text = page(study_rows)
    assert r"| \*+ | balanced/magnitude | 2 | 60.00 | 85.00 | 85.00 (54.1 to 96.5) | " in text
    assert "| 85.00 (54.1 to 96.5) | 7.07 | 0.00 (0.00 to 0.00) | dense | " in text
    assert "|  | MAG@0.599 | 2 | 59.90 | 45.00 |" in text


def test_int8_files_stand_beside_what_they_were_made_from(page, study_rows, make_int8_row):
    seeds = ("balanced/magnitude/0", "balanced/magnitude/1")
    text = page(study_rows, int8={x: make_int8_row(x, "1111111000") for x in seeds})
    assert "| 0.00 (0.00 to 0.00) | dense | 0.00 | 70.00 | 0.00 | " in text
    assert "weights rounded to int8, evaluated from its own file" in text
    assert "| `int8.jsonl` |" in text
    assert "int8.jsonl" not in page(study_rows)


def test_says_which_claims_hold_at_which_probability(page, study_rows):
    text = page(study_rows)
    assert (
        "* family by magnitude against MAG at equal sparsity: more accurate in 1, less accurate in "
        "0, undecided in 0 of 1 comparisons; +40.00 points on average;"
    ) in text
    assert "reference point at sparsity 0 and the base's accuracy minus 10 points" in text


def test_has_settings_and_the_command_that_makes_it_again(page, study_rows):
    text = page(study_rows)
    assert "strategies:\n- balanced\n- aggressive\n" in text
    assert "mixmatch study settings.yaml --results .\n" in text
    execution = Execution(
        device="cpu", precision="bfloat16", threads=1, small_convolutions="native", versions={}
    )
    rows = [row.model_copy(update={"execution": execution}) for row in study_rows]
    assert (
        "mixmatch study settings.yaml --results . \\\n    --set engine.device=cpu \\\n"
        "    --set engine.precision=bfloat16 \\\n    --set engine.threads_per_job=1\n```\n"
    ) in page(rows)


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


def test_what_intervals_leave_out_stands_first_and_under_the_claims(page, study_rows):
    for rows in (study_rows, ()):
        first, claims = page(rows, has_plan=False).split("## Which claims hold")
        assert CHANCE in first
        assert f"\n\n{CHANCE}\n" in claims.split("## Fronts")[0]


@pytest.mark.parametrize(
    ("fine_tune", "sentence"),
    [
        ({"order": "chain"}, "at most 20 epochs of fine-tuning each on top of those of its start."),
        ({"budget": {"epochs": 9}}, "at most 9 epochs of fine-tuning for the whole family of each"),
    ],
)
def test_unequal_fine_tuning_is_not_called_the_same(page, study_rows, fine_tune, sentence):
    text = page(study_rows, fine_tune=fine_tune)
    assert "each with the same base, data and seeds.\n" in text
    assert sentence in text
    assert "Fine-tuning is not equal" in text


def test_a_comparison_across_bases_is_marked_and_counts_as_no_claim(page, study_rows):
    other = [row.model_copy(update={"base_digest": "c" * 64}) for row in study_rows[-2:]]
    text = page([*study_rows[:-2], *other])
    assert "| not counted (2 bases) |" in text
    assert "at equal sparsity: no comparison within one base network. Between different" in text


def test_a_drop_that_is_not_stated_is_a_dash(page, study_rows):
    text = page([row for row in study_rows if row.kind != "dense"])
    assert "| 85.00 (54.1 to 96.5) | 7.07 | - | - | " in text


def test_warns_first_of_what_is_missing(page, study_rows):
    text = page(study_rows[3:-1], failed=["MAG@0.599/1"])
    assert "\n## Read first\n\n* 1 results failed and are missing: MAG@0.599/1.\n* The base" in text


def test_an_empty_study_has_a_page_without_figures(page):
    text = page((), has_plan=False)
    assert "No rival was compared" in text
    assert ".svg)" not in text


def test_names_no_path(page, study_rows, tmp_path):
    assert str(tmp_path) not in page(study_rows)
