import json

import pytest

import tasks.tracking
from mixmatch.errors import RegistryError
from tasks.tracking import ModelDetail, ModelRow

ROW = ModelRow(
    name="digits-demo",
    num_versions=3,
    latest_version=3,
    aliases={"most-accurate": 1, "smallest": 3},
    updated="2026-11-22T21:00:00+00:00",
)
DETAIL = ModelDetail(
    name="digits-demo",
    version=3,
    aliases=("smallest",),
    created="2026-11-22T21:00:00+00:00",
    uri="/ws/mlflow-artifacts/m-1",
    run_id="f00d",
    tags={"strategy": "balanced", "sparsity": "0.8125"},
    metrics={"test_accuracy": 0.9625},
    settings={"seed": "0"},
)


@pytest.fixture
def registry(monkeypatch):
    """Replace MLflow's registry; returns the references that were asked for."""
    asked = []

    def show_model(site, reference):
        asked.append(reference)
        return DETAIL

    monkeypatch.setattr(tasks.tracking, "list_models", lambda site: (ROW,))
    monkeypatch.setattr(tasks.tracking, "show_model", show_model)
    return asked


def test_lists_models_as_a_table(mixmatch, registry):
    result = mixmatch("list")
    assert result.exit_code == 0
    row = result.stdout.splitlines()[-2 if not result.stdout.splitlines()[-1].strip() else -1]
    assert row.split()[:3] == ["digits-demo", "3", "3"]
    assert "most-accurate = 1, smallest = 3" in row


def test_lists_models_as_json(mixmatch, registry):
    result = mixmatch("list", "--json")
    assert json.loads(result.stdout) == [ROW.model_dump(mode="json")]


def test_an_empty_registry_says_how_to_begin(mixmatch):
    result = mixmatch("list")
    assert result.stdout == (
        "Nothing is registered in this workspace yet; begin with: mixmatch demo\n"
    )
    assert json.loads(mixmatch("list", "--json").stdout) == []


def test_shows_a_model_in_full(mixmatch, registry):
    result = mixmatch("show", "digits-demo@smallest")
    assert registry == ["digits-demo@smallest"]
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    for line in (
        "Model digits-demo, version 3",
        "Aliases smallest",
        "MLflow run f00d",
        "Tags",
        "sparsity 0.8125",
        "Final figures",
        "test_accuracy 0.9625",
        "Settings",
        "seed 0",
    ):
        assert line in lines


def test_shows_a_model_as_json(mixmatch, registry):
    result = mixmatch("show", "digits-demo", "--json")
    assert json.loads(result.stdout) == DETAIL.model_dump(mode="json")


def test_an_unknown_model_is_wrong_input(mixmatch, monkeypatch):
    def unknown(site, reference):
        raise RegistryError(f"There must be a registered model {reference}.")

    monkeypatch.setattr(tasks.tracking, "show_model", unknown)
    result = mixmatch("show", "nobody")
    assert (result.exit_code, result.stderr) == (2, "There must be a registered model nobody.\n")
