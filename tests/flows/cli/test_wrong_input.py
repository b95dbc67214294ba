"""Wrong input: exit code 2, exactly one sentence on stderr, nothing on stdout, nothing written.

What only the work finds out (files, networks) is in ``test_wrong_files.py``. To add a case: a line
in ``CASES``; ``{}`` in a sentence stands for the test's own folder.
"""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

MINIMAL = "data: {name: digits}\nmodel: {architecture: resnet18}\n"
KNOWN_SETTINGS = (
    "name, seed, data, model, criteria, calibration_fraction, calibration_batch, ranges, "
    "strategies, target_sparsity, fine_tune, seeds, compare, compare_sparsities, quantize, "
    "latency, register, engine, notify, store"
)


@dataclass
class Case:
    """What is wrong, and what the user reads.

    Attributes:
        name: what is wrong.
        sentence: all of stderr.
        text: content of run.yaml.
        overrides: values of --set.
        arguments: further arguments.
        run_file: the file that is named, below the test's folder.
        make: writes what the case needs into the test's folder.
    """

    name: str
    sentence: str
    text: str = MINIMAL
    overrides: tuple = ()
    arguments: tuple = ()
    run_file: str = "run.yaml"
    make: object = field(default=lambda folder: None)


CASES = [
    Case(
        "an unknown key",
        f"{{}}/run.yaml: colour is not a setting; known here: {KNOWN_SETTINGS}.",
        text=MINIMAL + "colour: red\n",
    ),
    Case(
        "an unknown key in a section",
        "{}/run.yaml: fine_tune.epochs is not a setting; known here: optimizer, learning_rate, "
        "weight_decay, max_epochs, patience, batch_size, batch_norm_images, order, distill, "
        "budget.",
        text=MINIMAL + "fine_tune: {epochs: 3}\n",
    ),
    Case(
        "a sparsity in percent",
        "{}/run.yaml: ranges.targets must be a fraction in [0, 1], got 70 (70 % is written 0.7).",
        text=MINIMAL + "ranges: {targets: [70]}\n",
    ),
    Case(
        "a range whose low exceeds its high",
        "{}/run.yaml: ranges.roles.mlp must be [low, high] with low <= high, got [0.9, 0.2].",
        text=MINIMAL + "ranges: {roles: {mlp: [0.9, 0.2]}}\n",
    ),
    Case(
        "a range of one layer whose low exceeds its high",
        "{}/run.yaml: ranges.layers.fc must be [low, high] with low <= high, got [0.9, 0.5].",
        text=MINIMAL + "ranges: {layers: {fc: [0.9, 0.5]}}\n",
    ),
    Case(
        "a missing run file",
        "The run file {}/nothing.yaml must exist, found nothing there.",
        run_file="nothing.yaml",
    ),
    Case(
        "a run file that is a folder",
        "The run file {}/folder must be readable (Is a directory).",
        run_file="folder",
        make=lambda folder: (folder / "folder").mkdir(),
    ),
    Case(
        "an empty run file",
        "The run file {}/run.yaml must hold settings as name: value, found nothing.",
        text="",
    ),
    Case(
        "no YAML",
        "The run file {}/run.yaml must be plain YAML: mapping values are not allowed here "
        "(line 1, column 5).",
        text="a: b: c",
    ),
    Case(
        "a key that stands twice",
        "The run file {}/run.yaml must be plain YAML: the key 'data' stands twice "
        "(line 3, column 1).",
        text=MINIMAL + "data: {name: digits}\n",
    ),
    Case(
        "an object tag",
        "The run file {}/run.yaml must be plain YAML: could not determine a constructor for the "
        "tag 'tag:yaml.org,2002:python/object:os.system' (line 1, column 4).",
        text="a: !!python/object:os.system {}",
    ),
    Case(
        "no data set",
        "{}/run.yaml: data must be given; it has no default.",
        text="model: {architecture: resnet18}\n",
    ),
    Case(
        "an override without a value",
        "--set must be key=value or key.sub=value, got 'seed'.",
        overrides=("seed",),
    ),
    Case(
        "an override of an unknown setting",
        f"{{}}/run.yaml with --set: sead is not a setting; known here: {KNOWN_SETTINGS}.",
        overrides=("sead=3",),
    ),
    Case(
        "an override with a wrong value",
        "{}/run.yaml with --set: fine_tune.learning_rate must be above 0, got 0.",
        overrides=("fine_tune.learning_rate=0",),
    ),
    Case(
        "a strategy named twice",
        "{}/run.yaml: strategies must not name anything twice, got ['balanced', 'balanced'].",
        text=MINIMAL + "strategies: [balanced, balanced]\n",
    ),
    Case(
        "a seed named twice",
        "{}/run.yaml: seeds must not name anything twice, got [1, 1].",
        text=MINIMAL + "seeds: [1, 1]\n",
    ),
    Case(
        "an architecture from elsewhere",
        "{}/run.yaml: model.architecture must be a timm model name without a source prefix such "
        "as hf-hub: or local-dir:, or package.module:factory, got 'hf-hub:org/net'.",
        text="data: {name: digits}\nmodel: {architecture: 'hf-hub:org/net'}\n",
    ),
    Case(
        "an unsafe name",
        "{}/run.yaml: name must be up to 100 letters, digits, '.', '_' or '-', beginning with a "
        "letter or digit, got '../up'.",
        text=MINIMAL + "name: ../up\n",
    ),
    Case(
        "an unwritable workspace",
        "The workspace {}/file/ws must be a folder that can be written (Not a directory); choose "
        "another with MIXMATCH_HOME or --workspace.",
        make=lambda folder: (folder / "file").write_text(""),
        arguments=("--workspace", "{}/file/ws"),
    ),
    Case(
        "figures into a file",
        "--figures must name a folder that can be written, got {}/file (it is a file).",
        make=lambda folder: (folder / "file").write_text(""),
        arguments=("--figures", "{}/file"),
    ),
    Case(
        "figures below a file",
        "--figures must name a folder that can be written, got {}/file/sub/figures ({}/file is a "
        "file).",
        make=lambda folder: (folder / "file").write_text(""),
        arguments=("--figures", "{}/file/sub/figures"),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_wrong_input_is_one_sentence_and_writes_nothing(mixmatch, tmp_path, case):
    (tmp_path / "run.yaml").write_text(case.text)
    case.make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    sets = [part for override in case.overrides for part in ("--set", override)]
    more = [argument.replace("{}", str(tmp_path)) for argument in case.arguments]
    result = mixmatch("run", tmp_path / case.run_file, *sets, *more)
    assert result.stderr == case.sentence.replace("{}", str(tmp_path)) + "\n"
    assert (result.exit_code, result.stdout) == (2, "")
    assert sorted(tmp_path.rglob("*")) == before


def test_an_unknown_strategy_is_refused_with_all_known_ones(mixmatch, run_file):
    result = mixmatch("run", run_file, "--set", "strategies=[balance]")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"{run_file} with --set: strategies must be among [")
    assert result.stderr.endswith("got ['balance'].\n")


@pytest.mark.parametrize("command", ["run", "plan", "fetch", "base"])
def test_every_command_with_a_run_file_checks_it(mixmatch, command):
    result = mixmatch(command, Path("nothing.yaml"))
    assert result.exit_code == 2
    assert result.stderr == "The run file nothing.yaml must exist, found nothing there.\n"


@pytest.mark.parametrize(
    ("file_format", "to", "sentence"),
    [
        (
            "coreml",
            "net",
            "--format must be packed or onnx or onnx-int8 or torch, got 'coreml'.",
        ),
        ("torch", "n.pth", "--to must end in .safetensors or .pt with --format torch, got n.pth."),
        ("packed", "no/net", "--to must name a file in a folder that exists, got no/net."),
        ("packed", "folder", "--to must name a regular file, got folder, which is none."),
        (
            "packed",
            "file",
            "--to must name a file that is not there yet, got file; --force replaces it.",
        ),
    ],
)
def test_a_wrong_export_is_one_sentence_and_writes_nothing(
    mixmatch, tmp_path, file_format, to, sentence
):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    result = mixmatch("export", "x", "--format", file_format, "--to", to)
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"{sentence}\n")
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("command", ["run", "plan", "fetch", "base", "show", "export", "inspect"])
def test_a_missing_argument_is_wrong_input(mixmatch, command):
    result = mixmatch(command)
    assert result.exit_code == 2
    assert "Missing argument" in result.stderr
