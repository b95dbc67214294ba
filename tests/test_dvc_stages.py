"""``dvc.yaml`` and ``params.yaml``: the demo as stages that call the command line."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from flows.cli import app
from flows.cli.runs import DEMO
from mixmatch.config import RunConfig
from tasks.run_file import load_run_file

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())
ALL_OF_IT = {"params.yaml": None}

# The first stage whose result depends on a setting.
FIRST_READER = {
    "seed": "fetch",
    "data": "fetch",
    "calibration_fraction": "fetch",
    "model": "base",
    "engine": "base",
    "calibration_batch": "plan",
    "ranges": "plan",
    "strategies": "plan",
    "target_sparsity": "plan",
    "compare": "plan",
    "compare_sparsities": "plan",
    "criteria": "plan",  # a plan says what a run costs
    "fine_tune": "plan",
    "seeds": "plan",
    "name": "compress",
    "quantize": "compress",
    "latency": "compress",
    "register": "compress",
}
NO_RESULT_DEPENDS_ON = {"store", "notify"}

TINY = {
    "data": {"name": "digits", "image_size": 16, "train_limit": 64},
    "model": {"architecture": "test_resnet", "train": {"epochs": 1}},
    "fine_tune": {"max_epochs": 1},
    "strategies": ["conservative", "aggressive"],
    "engine": {"workers": 1},
}


def watched(stage):
    params = STAGES[stage]["params"]
    return set(PARAMS) if params == [ALL_OF_IT] else set(params)


def test_the_stages_are_those_of_a_run():
    assert list(STAGES) == ["fetch", "base", "plan", "compress"]


@pytest.mark.parametrize("stage", STAGES)
def test_every_command_of_a_stage_exists_with_its_options(stage):
    words = shlex.split(STAGES[stage]["cmd"])
    call = words[words.index("mixmatch") + 1 :]
    assert call[:2] == ["run" if stage == "compress" else stage, "params.yaml"]
    help_text = CliRunner().invoke(app, [call[0], "--help"]).stdout
    assert all(word in help_text for word in call if word.startswith("--"))


def test_the_parameters_are_the_demo():
    assert load_run_file(ROOT / "params.yaml") == load_run_file(DEMO)


def test_every_setting_has_a_first_reader_and_stands_in_the_parameters():
    known = {field.alias or name for name, field in RunConfig.model_fields.items()}
    assert set(FIRST_READER) == known - NO_RESULT_DEPENDS_ON
    assert set(PARAMS) == set(FIRST_READER)


@pytest.mark.parametrize("setting", FIRST_READER)
def test_a_changed_setting_runs_its_first_reader_and_all_after_it_again(setting):
    order = list(STAGES)
    readers = order[order.index(FIRST_READER[setting]) :]
    assert [stage for stage in order if setting in watched(stage)] == readers


def test_each_stage_follows_the_one_before():
    order = list(STAGES)
    for before, stage in pairwise(order):
        outs = [*STAGES[before].get("outs", ()), *STAGES[before].get("metrics", ())]
        names = [out if isinstance(out, str) else next(iter(out)) for out in outs]
        assert STAGES[stage]["deps"] == names


@pytest.fixture
def repository(tmp_path):
    """Return a function that calls a program in a git and DVC repository with tiny parameters."""
    environment = {k: v for k, v in os.environ.items() if k != "MIXMATCH_HOME"}
    environment |= {"PATH": f"{BIN}{os.pathsep}{environment['PATH']}", "DVC_NO_ANALYTICS": "1"}

    def call(*command):
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    for name in ("dvc.yaml", ".gitignore", ".dvcignore"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(PARAMS | TINY))
    call("git", "init", "--quiet")
    call("dvc", "init", "--quiet")
    return call


def test_dvc_reads_the_stages(repository):
    assert [line.split()[0] for line in repository("dvc", "stage", "list").splitlines()] == [
        *STAGES
    ]
    graph = repository("dvc", "dag", "--mermaid")
    assert graph.count("-->") == 3


@pytest.mark.service
@pytest.mark.timeout(1200)  # four commands, one of which is a whole run
def test_dvc_repeats_the_whole_job_shows_its_figures_and_then_has_nothing_to_do(
    repository, tmp_path
):
    repository(*shlex.split("dvc repro"))
    lock = (tmp_path / "dvc.lock").read_text()
    metrics = json.loads(repository(*shlex.split("dvc metrics show"), "--json"))[""]["data"]
    assert 0.0 <= metrics["build/dvc/base.json"]["data"]["accuracy"] <= 1.0
    assert metrics["build/dvc/family/metrics.json"]["data"]["num_results"] == 2
    repository(*shlex.split("dvc plots show"))
    page = (tmp_path / "dvc_plots" / "index.html").read_text()
    assert "Accuracy against sparsity" in page
    assert "up to date" in repository("dvc", "repro")
    assert (tmp_path / "dvc.lock").read_text() == lock
    assert repository("dvc", "status", "--json") == "{}\n"

    changed = PARAMS | TINY | {"criteria": ["gradient"]}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(changed))
    assert set(json.loads(repository("dvc", "status", "--json"))) == {"plan", "compress"}
