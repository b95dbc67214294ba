"""One night from the data set to the champion, then the command line in the same workspace."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from flows import announce, nightly
from mixmatch.errors import DataError, FamilyError, PromotionError
from mixmatch.records import Verdict
from tasks.ledger import read_ledger
from tasks.promotion import Judges
from tasks.site import Site
from tasks.summary import RunSummary
from tasks.tracking import Aliases
from tasks.workspace import Workspace

pytestmark = pytest.mark.service

OWN = "tests.flows.own_network:build"
CONFIG = {
    "name": "tiny",
    "data": {"name": "digits", "image_size": 16},
    "model": {"architecture": OWN, "arguments": {"width": 8}, "train": {"epochs": 2}},
    "fine_tune": {"max_epochs": 0},
    "strategies": ["conservative", "aggressive"],
    "engine": {"workers": 1, "precision": "float32"},
    "quantize": "none",
    "latency": "none",
}
POLICY = {"largest_drop": {"drop": 1.0}, "smallest_sparsity": 0.1}


@pytest.fixture(scope="module")
def night(server_site, tmp_path_factory):
    """The flow's result, the versions that were audited and by which factory, and the site."""
    asked = []

    def judges(factory):
        def verdict_of(site, reference):
            asked.append((reference, factory))
            return Verdict(ok=True)

        return Judges(audit=verdict_of)

    workspace = tmp_path_factory.mktemp("night") / "workspace"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nightly, "judges", judges)
        found = nightly.nightly_flow(CONFIG, POLICY, str(workspace), by="the night")
    return found, asked, Site.at(Workspace.open(workspace))


def test_the_night_compresses_audits_and_promotes(night):
    found, asked, site = night
    rows = [x for x in found["run"]["results"] if x["model_version"]]  # those on the front
    versions = [row["model_version"] for row in rows]
    assert found["verdicts"] == {f"tiny/{version}": True for version in sorted(versions)}
    # Once each, though the policy asks too.
    assert asked == [(reference, OWN) for reference in found["verdicts"]]
    promoted = found["promotion"]
    sizes = {row["bytes"]: row["model_version"] for row in rows}
    assert (promoted["outcome"], promoted["version"]) == ("promoted", sizes[min(sizes)])
    assert Aliases(site, "tiny").version_of("champion") == promoted["version"]
    (entry,) = read_ledger(site.open_store()).entries
    assert (entry.who, entry.digest) == (
        "the night",
        promoted["candidates"][entry.version - 1]["digest"],
    )


def test_openlineage_hears_of_the_night_as_the_parent(night):
    lines = Path(night[2].workspace, "openlineage.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    assert [x["eventType"] for x in events] == ["START", "COMPLETE"]
    parents = [x["run"]["facets"]["parent"] for x in events]
    assert [x["job"]["name"] for x in parents] == ["nightly", "nightly"]
    assert parents[0]["run"]["runId"] != events[0]["run"]["runId"]


def test_nothing_is_promoted_where_members_failed(night, monkeypatch):
    found, _, site = night
    failed = {"aggressive/magnitude/0": "It diverged."}
    incomplete = RunSummary.model_validate({**found["run"], "failed": failed})
    monkeypatch.setattr(nightly, "run_family_flow", lambda *_: incomplete)
    message = r"1 results failed, the others are kept \(aggressive/magnitude/0: It diverged\.\)\.$"
    with pytest.raises(FamilyError, match=message):
        nightly.nightly_flow(CONFIG, POLICY, site.workspace, by="the night")
    assert len(read_ledger(site.open_store()).entries) == 1


@pytest.fixture
def heard(monkeypatch):
    """What webhooks and Prefect are told, instead of telling them."""
    heard = []
    monkeypatch.setattr(announce, "notify", lambda *told: heard.append(told) or ())
    monkeypatch.setattr(announce, "_emit", lambda *told: heard.append(told))
    return heard


def test_webhooks_and_prefect_hear_of_a_night_that_promotes_nothing(night, heard, monkeypatch):
    complete = RunSummary.model_validate(night[0]["run"])
    monkeypatch.setattr(nightly, "run_family_flow", lambda *_: complete)
    policy = {**POLICY, "smallest_sparsity": 0.9999}
    with pytest.raises(PromotionError, match=r"at least 99\.99 %"):
        nightly.nightly_flow(CONFIG, policy, night[2].workspace, by="the night")
    assert [event for _, event, _ in heard] == ["mixmatch.run.failed"] * 2


def test_webhooks_and_prefect_hear_of_a_night_that_fails(night, heard):
    settings = {**CONFIG, "data": {"name": "image_folder", "root": "/nowhere"}}
    with pytest.raises(DataError, match="/nowhere"):
        nightly.nightly_flow(settings, POLICY, night[2].workspace, by="the night")
    assert [event for _, event, _ in heard] == ["mixmatch.run.failed"] * 2
    assert all("/nowhere" in facts["reason"] for *_, facts in heard)


def call(night, *arguments):
    """Run the real command; return its exit code and both streams."""
    site = night[2]
    policy = Path(site.workspace).with_name("policy.yaml")
    policy.write_text(yaml.safe_dump(POLICY))
    command = [str(Path(sys.executable).with_name("mixmatch")), *arguments]
    command += ["--policy", str(policy)] if arguments[0] == "promote" else []
    command += ["--workspace", site.workspace, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_the_command_line_promotes_a_network_of_the_users_own_by_its_factory_alone(night):
    words = ("promote", "tiny", "--alias", "second", "--by", "ada")
    code, _, stderr = call(night, *words)
    assert (code, "passes_audit must be every link holds, found no evidence" in stderr) == (1, True)
    code, stdout, stderr = call(night, *words, "--factory", OWN)
    assert code == 0, stderr
    summary = json.loads(stdout)
    again = summary["reevaluated"]
    (row,) = [x for x in night[0]["run"]["results"] if x["model_version"] == summary["version"]]
    assert (summary["outcome"], summary["alias"], summary["entry"]) == ("promoted", "second", 2)
    assert (again["accuracy"], again["bytes"]) == (row["accuracy"], row["bytes"])
    assert Aliases(night[2], "tiny").version_of("second") == summary["version"]
    assert "tiny@second is version" in stderr
    assert "all as recorded" in stderr


def test_a_way_back_that_is_none_ends_with_one_sentence_and_exit_code_1(night):
    code, stdout, stderr = call(night, "rollback", "tiny", "--why", "wrong at night", "--by", "ada")
    assert (code, stdout) == (1, "")
    assert stderr.splitlines() == [
        "The alias champion of tiny must have had a holder before to be rolled back, and the "
        f"ledger knows of only version {night[0]['promotion']['version']}."
    ]
