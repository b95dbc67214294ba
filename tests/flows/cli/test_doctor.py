import json

import pytest

import tasks.doctor
from tasks.doctor import Finding


@pytest.fixture
def findings(monkeypatch):
    """Replace what is found; returns the list to fill."""
    found = [Finding(name="python", status="ok", sentence="3.11.")]
    monkeypatch.setattr(tasks.doctor, "diagnose", lambda root, store: iter(found))
    return found


def test_prints_a_line_per_finding(mixmatch, findings):
    result = mixmatch("doctor")
    assert result.exit_code == 0
    assert "ok    python            3.11.\n" in result.stdout


def test_a_warning_is_no_failure_and_a_failure_is(mixmatch, findings):
    findings.append(Finding(name="disk", status="warn", sentence="little."))
    assert mixmatch("doctor").exit_code == 0
    findings.append(Finding(name="fastapi", status="fail", sentence="too new."))
    assert mixmatch("doctor").exit_code == 1


def test_json_holds_every_finding(mixmatch, findings):
    findings.append(Finding(name="fastapi", status="fail", sentence="too new."))
    result = mixmatch("doctor", "--json")
    printed = json.loads(result.stdout)
    assert printed["ok"] is False
    assert printed["findings"][1]["sentence"] == "too new."
    assert "fastapi" in result.stderr
