import json
import sys
from types import ModuleType

import pytest

from tasks.study.summary import StudySummary
from tasks.study.table_rows import StudyTables


@pytest.fixture
def studied(monkeypatch):
    """Replace the flow, which takes hours; returns the calls it got and what it answers."""
    calls, flow = [], ModuleType("flows.study")
    answer = StudySummary(
        folder="results",
        num_rows=9,
        num_new=3,
        failed={},
        tables=StudyTables(summary=(), comparisons=(), fronts=()),
    )

    def study(config, site, results, *, watch):
        watch.on_stage("base", "training")
        calls.append((config, site, results))
        return answer.model_copy(update={"failed": flow.failed})

    flow.study, flow.failed = study, {}
    monkeypatch.setitem(sys.modules, "flows.study", flow)
    return calls


def test_study_hands_file_folder_and_overrides_to_the_flow(mixmatch, studied, run_file, tmp_path):
    result = mixmatch("study", run_file, "--results", tmp_path / "r", "--set", "seeds=[0, 1]")
    assert result.exit_code == 0
    ((config, site, results),) = studied
    assert config.seeds == (0, 1)
    assert site.workspace == str(tmp_path / ".mixmatch")
    assert results == tmp_path / "r"
    assert "Results        9, 3 of them new\n" in result.stdout
    assert "base: training ..." in result.stderr


def test_with_json_stdout_holds_one_line_for_programs(mixmatch, studied, run_file):
    result = mixmatch("study", run_file, "--results", "results", "--json")
    assert result.stdout.count("\n") == 1
    assert json.loads(result.stdout)["num_new"] == 3
    assert "9, 3 of them new" in result.stderr


def test_failed_results_end_it_failed_after_the_tables(mixmatch, studied, run_file):
    sys.modules["flows.study"].failed = {"MAG@0.9000/0": "it diverged"}
    result = mixmatch("study", run_file, "--results", "results")
    assert result.exit_code == 1
    assert "FAILED: MAG@0.9000/0: it diverged\n" in result.stdout
    assert result.stderr.endswith(
        "1 results failed, the others are kept; the same command tries again (MAG@0.9000/0: it "
        "diverged).\n"
    )


def test_the_folder_must_be_named(mixmatch, run_file):
    result = mixmatch("study", run_file)
    assert result.exit_code == 2
    assert "--results" in result.stderr
