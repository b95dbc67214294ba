"""The layering as a test: imports go flows -> tasks -> mixmatch, and each SDK has one home."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("mixmatch", "tasks", "flows")

FORBIDDEN = {
    "mixmatch": {
        "prefect",
        "mlflow",
        "dvc",
        "boto3",
        "dask",
        "distributed",
        "onnx",
        "onnxruntime",
        "onnxscript",
        "tasks",
        "flows",
    },
    "tasks": {"flows", "prefect", "dask", "distributed"},
    "flows": {"mlflow", "dvc", "boto3", "torch", "timm", "torchvision", "sklearn", "onnx"},
}

# The one place that may import each SDK.
HOME = {
    "mlflow": "tasks/tracking",
    "dvc": "tasks/versioning",
    "prefect": "flows",
    "plotly": "tasks/report",
    "sklearn": "tasks/data",
    "boto3": "tasks/objects",
    "botocore": "tasks/objects",
    "onnx": "tasks/onnx_files",
    "onnxruntime": "tasks/onnx_files",
    "onnxscript": "tasks/onnx_files",
    "in_toto_attestation": "tasks/lineage",
    "openlineage": "tasks/lineage_events",
    "model_signing": "tasks/signing.py",
}

FILES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
NAMES = [str(path.relative_to(ROOT)) for path in FILES]


def imported_modules(path):
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [n.module for n in nodes if isinstance(n, ast.ImportFrom) and n.module and not n.level]
    return names


def imported_packages(path):
    return {name.split(".")[0] for name in imported_modules(path)}


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_file_imports_only_from_below(path):
    package = path.relative_to(ROOT).parts[0]
    assert not imported_packages(path) & FORBIDDEN[package]


def is_of_command_line(module):
    return module == "flows.cli" or module.startswith("flows.cli.")


def test_flows_know_nothing_of_the_command_line():
    flows = [path for path in FILES if path.is_relative_to(ROOT / "flows")]
    beneath = [path for path in flows if not path.is_relative_to(ROOT / "flows" / "cli")]
    assert len(beneath) > 10
    assert [x for x in beneath if any(map(is_of_command_line, imported_modules(x)))] == []


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_file_imports_no_sdk_outside_its_home(path):
    name = str(path.relative_to(ROOT))
    strangers = {
        sdk
        for sdk in imported_packages(path) & set(HOME)
        if name != HOME[sdk] and not name.startswith(f"{HOME[sdk]}/")
    }
    assert not strangers


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_file_holds_one_idea(path):
    assert len(path.read_text().splitlines()) <= 300


METHOD_FILES = [path for path in FILES if path.relative_to(ROOT).parts[0] == "mixmatch"]


@pytest.mark.parametrize("path", METHOD_FILES, ids=str)
def test_the_method_reads_no_environment_and_prints_nothing(path):
    source = ast.parse(path.read_text())
    names = {node.id for node in ast.walk(source) if isinstance(node, ast.Name)}
    attributes = {node.attr for node in ast.walk(source) if isinstance(node, ast.Attribute)}
    assert "print" not in names
    assert not attributes & {"environ", "getenv"}


def test_no_test_folder_shadows_a_package():
    assert not list((ROOT / "tests").rglob("__init__.py"))


def test_sources_were_found():
    assert {Path(name).parts[0] for name in NAMES} == set(PACKAGES)
