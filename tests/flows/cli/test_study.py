import json
import sys
from types import ModuleType

import pytest

from mixmatch.config import RunConfig
from tasks.study.folder import StudyFolder
from tasks.study.summary import StudySummary
from tasks.study.table_rows import StudyTables

CONFIG = RunConfig(data={"name": "digits"}, model={"architecture": "resnet18"})


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


def test_studies_are_put_side_by_side(mixmatch, tmp_path):
    for name in ("one", "two"):
        StudyFolder.open(tmp_path / name, CONFIG)
    result = mixmatch("studies", tmp_path / "one", tmp_path / "two", "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert [x["architecture"] for x in found["studies"]] == ["resnet18", "resnet18"]
    assert [x["study"] for x in found["studies"]] == ["one", "two"]
    assert " one    resnet18        0       0" in result.stderr


def test_studies_of_one_name_are_told_apart_by_their_paths(mixmatch, tmp_path):
    paths = [tmp_path / "first" / "results", tmp_path / "second" / "results"]
    for path in paths:
        StudyFolder.open(path, CONFIG)
    result = mixmatch("studies", *paths, "--json")
    assert [x["study"] for x in json.loads(result.stdout)["studies"]] == [str(x) for x in paths]


def test_a_folder_without_a_study_is_refused(mixmatch, tmp_path):
    result = mixmatch("studies", tmp_path)
    assert result.exit_code == 2
    assert f"must hold a study (study.json), got {tmp_path}.\n" in result.stderr
