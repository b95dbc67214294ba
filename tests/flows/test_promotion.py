"""The flows of promotion on a real registry, with a real server."""

from types import SimpleNamespace

import pytest

import flows.compress
import flows.promotion
from flows.promotion import audit_versions, nightly, promote, rollback
from mixmatch.errors import ConfigError, PromotionError
from mixmatch.gates import Verdict
from tasks.ledger import Ledger
from tasks.promotion import Checks
from tests.tasks.promotion.shapes import NAME, all_well, build, copy_of

pytestmark = pytest.mark.service

RUN = "{name: shapes, data: {name: digits}, model: {architecture: test_resnet}}"
OPEN = {"on_front": False, "passes_audit": False}


@pytest.fixture(scope="module")
def template(server_site, tmp_path_factory):
    from tasks.site import Site
    from tasks.workspace import Workspace

    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        site = Site.at(Workspace.open(tmp_path_factory.mktemp("shapes") / "workspace"))
        build(site)
    return site


@pytest.fixture
def shapes(template, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(flows.promotion, "checks_of", lambda site: all_well())
    return copy_of(template, tmp_path / "workspace")


@pytest.fixture
def run_file(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text(RUN)
    return str(file)


@pytest.fixture
def compressed(monkeypatch):
    """Stand in for the compression: versions 2 and 3 are what it registered."""
    asked = []
    summary = SimpleNamespace(
        failed={}, results=[SimpleNamespace(model_version=x) for x in (3, None, 2)]
    )

    def compress(config, site, *, watch):
        asked.append(config.registered_name)
        return summary

    monkeypatch.setattr(flows.compress, "compress", compress)
    summary.asked = asked
    return summary


def test_the_flow_promotes_the_winner(shapes):
    told = promote(NAME, OPEN, workspace=shapes.site.workspace, who="nightly")
    assert (told["status"], told["version"], told["entry"]) == ("promoted", 3, 1)
    assert shapes.holder() == 3
    (entry,) = Ledger(shapes.site.open_store()).entries()
    assert entry.who == "nightly"
    again = promote(NAME, OPEN, workspace=shapes.site.workspace)
    assert (again["status"], again["entry"]) == ("holds-already", None)


def test_where_nothing_passes_the_flow_fails_and_says_what_is_nearest(shapes):
    with pytest.raises(PromotionError, match=r"nearest is version 3: largest_bytes must be <= 1, "):
        promote(NAME, OPEN | {"largest_bytes": 1}, workspace=shapes.site.workspace)
    assert shapes.ledger_files == []


def test_a_wrong_policy_fails_the_flow(shapes):
    with pytest.raises(ConfigError, match="the policy of the flow: "):
        promote(NAME, {"largest_byte": 1}, workspace=shapes.site.workspace)


def test_the_flow_rolls_back(shapes):
    shapes.promote_version(1)
    shapes.promote_version(3)
    told = rollback(NAME, "too slow", workspace=shapes.site.workspace)
    assert (told["status"], told["version"], shapes.holder()) == ("rolled-back", 1, 1)


def test_the_nightly_flow_compresses_audits_and_promotes(shapes, run_file, compressed, monkeypatch):
    audited = []

    def audit(reference):
        audited.append(reference)
        return Verdict(True, "all links hold")

    monkeypatch.setattr(flows.promotion, "checks_of", lambda site: Checks(audit, audit))
    policy = {"on_front": False, "passes_audit": True}
    told = nightly(run_file, policy, workspace=shapes.site.workspace)
    assert compressed.asked == ["shapes"]
    assert audited == ["shapes/2", "shapes/3", "shapes/1"]  # the new ones first, each once
    assert (told["status"], told["version"], shapes.holder()) == ("promoted", 3, 3)


def test_a_new_version_that_fails_its_audit_stops_the_night(
    shapes, run_file, compressed, monkeypatch
):
    checks = Checks(lambda reference: Verdict(reference != "shapes/2", "mask"), None)
    monkeypatch.setattr(flows.promotion, "checks_of", lambda site: checks)
    with pytest.raises(PromotionError, match=r"one is promoted; shapes/2 \(mask\) failed\.$"):
        nightly(run_file, OPEN, workspace=shapes.site.workspace)
    assert (shapes.holder(), shapes.ledger_files) == (None, [])


def test_a_night_with_failed_results_promotes_nothing(shapes, run_file, compressed):
    compressed.failed["balanced/magnitude/0"] = "diverged"
    with pytest.raises(PromotionError, match=r"one is promoted; failed: balanced/magnitude/0\.$"):
        nightly(run_file, OPEN, workspace=shapes.site.workspace)
    assert shapes.holder() is None


def test_a_wrong_policy_costs_no_night(shapes, run_file, compressed):
    with pytest.raises(ConfigError, match="largest_byte"):
        nightly(run_file, {"largest_byte": 1}, workspace=shapes.site.workspace)
    assert compressed.asked == []


def test_versions_that_pass_are_returned_with_their_verdicts():
    assert audit_versions(all_well(), ["shapes/1"]) == {"shapes/1": Verdict(True, "all links hold")}
