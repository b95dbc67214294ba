import io

import pytest
from rich.console import Console

from flows.cli.family_table import print_family


@pytest.fixture
def printed():
    def show(summary):
        console = Console(file=io.StringIO(), width=120, highlight=False, markup=False)
        print_family(console, summary, "digits-demo")
        return console.file.getvalue()

    return show


def test_each_result_is_a_row_with_the_front_marked(printed, run_summary):
    lines = printed(run_summary).splitlines()
    (front,) = [line for line in lines if "balanced" in line]
    cells = "* balanced magnitude 0 81.23 97.50 96.25 (94.1-97.6) 0.75 8.90 2"
    assert " ".join(front.split()) == cells
    (other,) = [line for line in lines if "aggressive" in line]
    assert other.split()[0] == "aggressive"
    assert other.split()[-1] == "-"


def test_further_names_of_a_result_stand_below_it(printed, run_summary):
    lines = printed(run_summary).splitlines()
    row = next(number for number, line in enumerate(lines) if "balanced" in line)
    assert lines[row + 1].strip() == "= percentile_50"


def test_says_where_everything_is(printed, run_summary):
    text = printed(run_summary)
    assert "1 of 2 results" in text
    for line in (
        "Report         /somewhere/ws/runs/f00d/report.html",
        "Workspace      /somewhere/ws",
        "MLflow run     f00d",
        "Model          mixmatch show digits-demo@most-accurate --workspace /somewhere/ws",
        "Pages          mixmatch ui --workspace /somewhere/ws",
        "Cache          1 of 6 steps were there already",
        "Time           61.5 s (base 20.2 s, members 40.5 s)",
    ):
        assert f"{line}\n" in text


def test_the_usual_workspace_needs_no_option(printed, run_summary, monkeypatch):
    monkeypatch.setenv("MIXMATCH_HOME", "/somewhere/ws")
    assert "Pages          mixmatch ui\n" in printed(run_summary)


def test_a_workspace_with_a_blank_is_quoted(printed, run_summary):
    summary = run_summary.model_copy(update={"workspace": "/some where"})
    assert "mixmatch ui --workspace '/some where'\n" in printed(summary)


def test_a_long_path_stays_in_one_piece(printed, run_summary):
    path = "/" + "x" * 300
    assert path in printed(run_summary.model_copy(update={"report": path}))


def test_a_warning_about_the_base_and_failures_stand_out(printed, run_summary):
    base = run_summary.base.model_copy(update={"warnings": ("The base guesses.",)})
    changes = {"base": base, "failed": {"aggressive/magnitude/0": "it diverged"}}
    text = printed(run_summary.model_copy(update=changes))
    assert "WARNING: The base guesses.\n" in text
    assert "FAILED: aggressive/magnitude/0: it diverged\n" in text


def test_what_is_not_registered_is_not_shown_as_a_model(printed, run_summary):
    rows = tuple(row.model_copy(update={"model_version": None}) for row in run_summary.results)
    assert "mixmatch show" not in printed(run_summary.model_copy(update={"results": rows}))
