import json
import sys
from types import ModuleType

import pytest

from flows.cli.runs import DEMO
from tasks.run_file import load_run_file


@pytest.fixture
def compressed(monkeypatch, run_summary):
    """Replace the flow, which takes minutes; returns the calls it got."""
    calls, flow = [], ModuleType("flows.compress")

    def compress(config, site, *, watch, through_flow):
        watch.on_stage("base", "training")
        calls.append((config, site, through_flow))
        return run_summary

    flow.compress = compress
    monkeypatch.setitem(sys.modules, "flows.compress", flow)
    return calls


def test_run_hands_file_and_overrides_to_the_flow(mixmatch, compressed, run_file, tmp_path):
    result = mixmatch("run", run_file, "--set", "seed=3", "--workspace", tmp_path / "ws")
    assert result.exit_code == 0
    ((config, site, through_flow),) = compressed
    assert not through_flow
    assert (config.run_name, config.seed) == ("digits-resnet18", 3)
    assert site.workspace == str(tmp_path / "ws")
    assert site.store == str(tmp_path / "ws" / "store")


def test_a_store_of_the_run_file_is_used(mixmatch, compressed, run_file, tmp_path):
    mixmatch("run", run_file, "--set", f"store={tmp_path / 'elsewhere'}")
    assert compressed[0][1].store == str(tmp_path / "elsewhere")


def test_the_table_goes_to_stdout_and_progress_to_stderr(mixmatch, compressed, run_file):
    result = mixmatch("run", run_file)
    assert "balanced" in result.stdout
    assert "base: training ..." in result.stderr


def test_with_json_stdout_holds_one_line_for_programs(mixmatch, compressed, run_file, run_summary):
    result = mixmatch("run", run_file, "--json")
    assert result.stdout.count("\n") == 1
    assert json.loads(result.stdout) == run_summary.model_dump(mode="json")
    assert "balanced" in result.stderr


def test_failed_members_end_the_run_failed_after_the_table(
    mixmatch, compressed, run_file, run_summary, monkeypatch
):
    failed = run_summary.model_copy(update={"failed": {"aggressive/product/0": "it diverged"}})
    monkeypatch.setattr(
        sys.modules["flows.compress"],
        "compress",
        lambda config, site, *, watch, through_flow: failed,
    )
    result = mixmatch("run", run_file, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["failed"] == {"aggressive/product/0": "it diverged"}
    assert result.stderr.endswith(
        "1 of 3 results failed, the others are kept (aggressive/product/0: it diverged).\n"
    )


def test_a_finished_run_may_be_sent_through_the_flow(mixmatch, compressed, run_file):
    mixmatch("run", run_file, "--through-flow")
    mixmatch("demo", "--through-flow")
    assert [through_flow for _, _, through_flow in compressed] == [True, True]


def test_the_table_says_that_nothing_was_started(
    mixmatch, compressed, run_file, run_summary, monkeypatch
):
    stored = run_summary.model_copy(update={"from_store": True})
    monkeypatch.setattr(sys.modules["flows.compress"], "compress", lambda *_, **__: stored)
    shown = mixmatch("run", run_file).stdout
    assert "steps were there already; nothing was computed or started\n" in shown


def test_the_demo_needs_no_file(mixmatch, compressed):
    assert mixmatch("demo").exit_code == 0
    config = compressed[0][0]
    assert (config.run_name, config.data.name) == ("digits-demo", "digits")


def test_the_demo_is_the_job_that_was_promised():
    config = load_run_file(DEMO)
    assert (config.model.architecture, config.data.image_size) == ("resnet18", 32)
    assert (config.criteria, config.strategies, config.seeds) == (("magnitude",), None, (0,))
    assert config.model.checkpoint is None
