import json
import subprocess
import sys
from pathlib import Path

import pytest
from torch import nn

import tasks.export
from mixmatch.packed import save_packed
from mixmatch.records import ModelSpec
from tasks.export_summary import Agreement, ExportSummary

ROOT = Path(__file__).resolve().parents[3]
SPEC = ModelSpec(
    architecture="nets:small",
    arguments={},
    num_classes=2,
    image_shape=(8, 8, 1),
    mean=(0.5,),
    std=(0.25,),
    classes=("cat", "dog"),
)
EXPORTED = ExportSummary(
    name="digits-demo",
    version=3,
    format="torch",
    file="/somewhere/net.pt",
    bytes=44_700_000,
    digest="e" * 64,
    packed_digest="d" * 64,
)
QUANTIZED = EXPORTED.model_copy(
    update={
        "format": "onnx-int8",
        "agreement": Agreement(
            num_images=1200,
            same_class=0.9875,
            accuracy_torch=0.92,
            accuracy_onnx=0.915,
            deviation=0.0625,
        ),
    }
)
# Calls the command line as a user does, then says which of the slow packages it loaded.
CALL = """
import sys
from flows.cli.app import app
try:
    app(sys.argv[1:])
except SystemExit as end:
    print(end.code, [x for x in ("torch", "prefect", "mlflow") if x in sys.modules])
"""


@pytest.fixture
def packed(tmp_path):
    model = nn.Sequential(nn.Linear(8, 2))
    model[0].weight.data.fill_(0)
    model[0].weight.data[0, 0] = 1.5
    save_packed(tmp_path / "net.packed", model, SPEC)
    return tmp_path / "net.packed"


@pytest.fixture
def exported(monkeypatch):
    """Replace the export, which needs a registry; returns the calls it got."""
    calls = []

    def export_model(site, reference, to, **settings):
        calls.append((site.workspace, reference, to, settings))
        return EXPORTED

    monkeypatch.setattr(tasks.export, "export_model", export_model)
    return calls


def call(folder, *arguments):
    command = [sys.executable, "-c", CALL, *map(str, arguments)]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "", "HOME": str(folder)}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_inspect_describes_a_packed_file(mixmatch, packed):
    result = mixmatch("inspect", packed)
    assert result.exit_code == 0
    shown = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert f"File {packed}, packed format version 2" in shown
    assert "Weights 16 prunable, 1 kept: sparsity 93.75 %" in shown
    assert any(line.startswith("0.weight 2x8 kept_gaps 1 93.75 1 4 5") for line in shown)


def test_inspect_prints_its_summary_as_json(mixmatch, packed):
    result = mixmatch("inspect", packed, "--json")
    printed = json.loads(result.stdout)
    assert (printed["num_weights"], printed["sparsity"], printed["verified"]) == (16, 0.9375, True)
    assert printed["spec"]["architecture"] == "nets:small"
    assert "Architecture" in result.stderr


def test_inspect_says_when_it_did_not_verify(mixmatch, packed):
    result = mixmatch("inspect", packed, "--header-only")
    assert "(as the file states; the stored bytes were not read)" in result.stdout


def test_inspect_writes_nothing_and_needs_neither_torch_nor_a_server(packed, tmp_path):
    done = call(tmp_path, "inspect", packed)
    assert done.stdout.splitlines()[-1] == "0 []"
    assert list(tmp_path.iterdir()) == [packed]


def test_a_damaged_file_is_wrong_input(mixmatch, packed):
    content = bytearray(packed.read_bytes())
    content[-1] ^= 1
    packed.write_bytes(content)
    result = mixmatch("inspect", packed)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"{packed} is damaged: its content must have the digest ")
    assert len(result.stderr.splitlines()) == 1


def test_export_hands_everything_on(mixmatch, exported, tmp_path):
    place = ("--to", tmp_path / "net.pt", "--workspace", tmp_path / "ws")
    result = mixmatch("export", "digits-demo@smallest", "--format", "torch", *place)
    assert result.exit_code == 0
    settings = {"file_format": "torch", "force": False, "values": None, "factory": None}
    assert exported == [
        (str(tmp_path / "ws"), "digits-demo@smallest", tmp_path / "net.pt", settings)
    ]
    assert result.stdout.splitlines() == [
        "Model          digits-demo, version 3",
        "File           /somewhere/net.pt, torch, 44.70 MB",
        f"Digest         {'e' * 64}",
    ]


def test_export_replaces_a_file_where_it_is_told_to(mixmatch, exported, tmp_path):
    (tmp_path / "net.packed").write_text("old")
    result = mixmatch("export", "x", "--format", "packed", "--to", "net.packed", "--force")
    assert result.exit_code == 0
    to, settings = exported[0][2:]
    assert (to, settings["force"]) == (Path("net.packed"), True)


def test_export_packs_anew_with_the_values_that_it_is_told(mixmatch, exported):
    result = mixmatch("export", "x", "--format", "packed", "--values", "int8", "--to", "net.packed")
    assert result.exit_code == 0
    assert exported[0][3]["values"] == "int8"


def test_export_hands_on_what_builds_an_own_network(mixmatch, exported):
    asked = ("--format", "onnx", "--factory", "nets:small", "--to", "net.onnx")
    assert mixmatch("export", "x", *asked).exit_code == 0
    assert exported[0][3]["factory"] == "nets:small"


def test_export_says_how_an_onnx_file_agrees_with_torch(mixmatch, monkeypatch):
    monkeypatch.setattr(tasks.export, "export_model", lambda *_, **__: QUANTIZED)
    result = mixmatch("export", "x", "--format", "onnx-int8", "--to", "net.onnx")
    assert result.stdout.splitlines()[3:] == [
        "Agreement      the same class as PyTorch for 98.75 % of 1,200 validation images; logits "
        "deviate by at most 6.2e-02 of the largest",
        "Accuracy       validation 91.50 %, PyTorch 92.00 %",
    ]
    printed = mixmatch("export", "x", "--format", "onnx-int8", "--to", "net.onnx", "--json")
    assert json.loads(printed.stdout)["agreement"] == QUANTIZED.agreement.model_dump()


def test_export_says_which_values_were_packed(mixmatch, monkeypatch):
    packed = EXPORTED.model_copy(update={"format": "packed", "values": "int8"})
    monkeypatch.setattr(tasks.export, "export_model", lambda *_, **__: packed)
    result = mixmatch("export", "x", "--format", "packed", "--values", "int8", "--to", "net.packed")
    assert "/somewhere/net.pt, packed, int8 values, 44.70 MB" in result.stdout


def test_export_prints_its_summary_as_json(mixmatch, exported):
    result = mixmatch("export", "x", "--format", "torch", "--to", "net.pt", "--json")
    assert json.loads(result.stdout) == EXPORTED.model_dump(mode="json")
    assert "digits-demo, version 3" in result.stderr


def test_export_starts_no_server(tmp_path):
    done = call(tmp_path, "export", "nothing", "--format", "packed", "--to", "net.packed")
    assert done.stdout == "2 []\n"
    assert "The registered model nothing must exist, but nothing is tracked" in done.stderr


@pytest.mark.parametrize("missing", ["--format", "--to"])
def test_export_has_no_default_for_what_and_where(mixmatch, missing):
    given = {"--format": "torch", "--to": "net.pt"}
    given.pop(missing)
    result = mixmatch("export", "x", *(part for option in given.items() for part in option))
    assert result.exit_code == 2
    assert f"Missing option '{missing}'" in result.stderr
