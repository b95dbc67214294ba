"""``mixmatch gc`` as a user calls it, over two real runs of which the older goes."""

import json

import pytest

from tests.tasks.promotion.shop import NAME
from tests.tasks.retention.two_runs import state, two_runs

pytestmark = pytest.mark.service

POLICY = "keep_newest: 0\nkeep_fronts: 0\nkeep_runs: 0\nkeep_days: 0\ngrace_hours: 0\n"


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield two_runs(tmp_path_factory.mktemp("gc") / "workspace")


@pytest.fixture
def gc(mixmatch, shop, tmp_path):
    (tmp_path / "retention.yaml").write_text(POLICY)
    place = ("--policy", tmp_path / "retention.yaml", "--workspace", shop.site.workspace)
    return lambda *words: mixmatch("gc", *place, *words)


def rows(done, *, of):
    lines = [" ".join(line.split()) for line in done.splitlines()]
    return [line for line in lines if line.startswith(of)]


def test_the_table_says_what_would_go_and_then_what_went(gc, shop):
    before = state(shop)
    told = gc("--dry-run")
    assert told.exit_code == 0, told.stderr
    assert rows(told.stdout, of="version") == [
        f"version {NAME}/1 would go: 0.0 days old, and no rule keeps it 0.00",
        f"version {NAME}/2 stays: holds most-accurate, smallest -",
    ]
    runs = [line.partition(" ")[2].partition(" ")[2] for line in rows(told.stdout, of="run ")]
    gone = "would go: 0.0 days old, and made no version that stays 0.00"
    assert runs == [gone, gone, f"stays: made {NAME}/2 -"]
    files = (
        "1 models in MLflow would go: its version goes",
        "1 records of the store would go: nothing that stays",
    )
    assert all(len(rows(told.stdout, of=line)) == 1 for line in files)
    assert "MB would be freed, 6 things" in told.stdout
    assert state(shop) == before

    done = gc("--json")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert [x["name"] for x in found["removals"] if x["kind"] == "version"] == [f"{NAME}/1"]
    went = [line.replace("gone:", "would go:") for line in rows(done.stderr, of="version")]
    assert went == rows(told.stdout, of="version")
    assert "MB freed, 6 things" in done.stderr
    assert state(shop)[0] == {2}


def test_a_wrong_policy_is_one_sentence_and_exit_code_2(mixmatch, tmp_path):
    (tmp_path / "retention.yaml").write_text("keep_newest: -1\n")
    done = mixmatch("gc", "--policy", tmp_path / "retention.yaml")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "keep_newest" in done.stderr
    assert not (tmp_path / ".mixmatch").exists()
