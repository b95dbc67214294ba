"""Verdicts as tables: the first rule that keeps a thing is its reason."""

import pytest

from mixmatch.config import Retention
from mixmatch.retention import RunToJudge, VersionToJudge, judge_runs, judge_versions

DAY = 86400.0
NOW = 100 * DAY
NOTHING = Retention(keep_newest=0, keep_fronts=0, keep_runs=0, keep_days=0, grace_hours=0)


def version(number, *, age_days=50.0, protected=None, front_rank=None, name="net"):
    return VersionToJudge(name, number, NOW - age_days * DAY, protected, front_rank)


def run(run_id, *, started, ended=None, is_deleted=False):
    at = None if ended is None else ended * DAY
    return RunToJudge(run_id, "1", started * DAY, at, is_deleted)


@pytest.mark.parametrize(
    ("rules", "one", "stays"),
    [
        ({}, version(1), False),
        ({}, version(1, protected="holds champion"), True),
        ({"keep_newest": 1}, version(1), True),
        ({"keep_days": 51}, version(1), True),
        ({"keep_days": 50}, version(1), False),
        ({"keep_fronts": 1}, version(1, front_rank=0), True),
        ({"keep_fronts": 1}, version(1, front_rank=1), False),
        ({"keep_fronts": 1}, version(1, front_rank=None), False),
    ],
)
def test_each_rule_keeps_what_it_says(rules, one, stays):
    policy = NOTHING.model_copy(update=rules)
    assert judge_versions(policy, [one], NOW)["net/1"].stays is stays


def test_the_newest_are_counted_for_each_model():
    policy = NOTHING.model_copy(update={"keep_newest": 1})
    found = judge_versions(policy, [version(1), version(2), version(7, name="other")], NOW)
    assert {x for x, verdict in found.items() if verdict.stays} == {"net/2", "other/7"}


def test_runs_stay_that_made_a_version_still_run_or_are_new():
    policy = NOTHING.model_copy(update={"keep_runs": 1, "keep_days": 10})
    runs = [
        run("maker", started=1, ended=2),
        run("running", started=3),
        run("old", started=4, ended=5),
        run("young", started=6, ended=95),
        run("newest", started=7, ended=8),
        run("deleted", started=9, ended=10, is_deleted=True),
    ]
    found = judge_runs(policy, runs, {"maker": "net/1"}, NOW)
    assert {x: verdict.why for x, verdict in found.items() if verdict.stays} == {
        "maker": "made net/1",
        "running": "still runs",
        "young": "younger than 10 days",
        "newest": "among the newest 1",
    }
