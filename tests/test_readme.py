"""The README does what it says: its commands, its Python, its run files, its links.

A new kind of command fails here until a case of ``check`` knows it.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import timm
import torch
import yaml
from PIL import Image
from typer.testing import CliRunner

from flows.cli import app
from mixmatch.config import RunConfig, parse_policy, parse_run_config

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
WITHOUT_BLOCKS = re.sub(r"^```.*?^```$", "", TEXT, flags=re.MULTILINE | re.DOTALL)

# These run for minutes or until Ctrl-C, so that only their words are checked here.
LONG = ("demo", "serve", "ui")


def blocks(language):
    return [body for found, body in BLOCKS if found == language]


def lines_of(body):
    """Return the commands of a block, those on several lines joined, comments dropped."""
    joined = body.replace("\\\n", " ").splitlines()
    return [line for line in (x.partition(" #")[0].strip() for x in joined) if line[:1] not in "#"]


COMMANDS = [line for body in blocks("bash") for line in lines_of(body) if line]
CALLS = [x for x in COMMANDS if x.startswith("mixmatch ") and shlex.split(x)[1] not in LONG]
# Those on the project's own run files are run on few and small images.
ON_CONFIGS = [x for x in CALLS if " configs/" in x]
SHORT = [x for x in CALLS if x not in ON_CONFIGS]
SMALL = (
    *("data.name=digits", "data.root=null", "data.image_size=16", "data.train_limit=200"),
    *("data.validation_fraction=0.1", "model.architecture=test_resnet", "model.train.epochs=1"),
    *("strategies=[conservative,aggressive]", "seeds=[0]", "fine_tune.max_epochs=1"),
)

# It needs a registered model, so it is run where there is one.
LOADS = [body for _, body in BLOCKS if "mlflow.pyfunc.load_model" in body]


def check(line):
    """Check that a command exists with its options; what is short is run by another test."""
    match shlex.split(line):
        case ["make", *targets]:
            check_make(targets)
        case ["mixmatch", command, *arguments]:
            check_options(command, arguments)
        case ["dvc", *_]:
            tested = (ROOT / "tests" / "test_dvc_stages.py").read_text()
            assert f'"{line}"' in tested, f"tests/test_dvc_stages.py does not run {line}"
        case _:
            pytest.fail(f"README names a command that no test knows: {line}")


def check_make(targets):
    # Flags of a make around the tests are none of this one's.
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    make = ["make", "--dry-run", *targets]
    done = subprocess.run(make, cwd=ROOT, env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def check_options(command, arguments):
    shown = CliRunner().invoke(app, [command, "--help"])
    assert shown.exit_code == 0, shown.stderr
    missing = [x for x in arguments if x.startswith("--") and x not in shown.stdout.split()]
    assert not missing


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_is_known(line):
    check(line)


@pytest.mark.parametrize("line", ["sudo rm", "mixmatch rum", "mixmatch run x --speed", "dvc push"])
def test_an_unknown_command_would_be_noticed(line):
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        check(line)


def test_the_two_commands_of_a_newcomer_come_first():
    assert COMMANDS[:2] == ["make demo", "make test"]


def test_commands_within_the_text_are_known():
    inline = re.findall(r"`((?:make|mixmatch|dvc) [^`]+)`", WITHOUT_BLOCKS)
    assert len(inline) > 5
    for line in inline:
        check(re.sub(r"\[.*?\]", "", line))  # without what the table calls optional


def test_the_table_lists_every_command_of_the_command_line():
    table = {name for row in re.findall(r"^\| `.*?\|", TEXT, re.MULTILINE) for name in named(row)}
    assert table == {command.name for command in app.registered_commands}


def named(row):
    return re.findall(r"`mixmatch (\w+)", row)


# A policy has gates, and no data section.
POLICIES = [body for body in blocks("yaml") if "data" not in yaml.safe_load(body)]


@pytest.mark.parametrize("body", [x for x in blocks("yaml") if x not in POLICIES])
def test_every_run_file_is_right(body):
    parse_run_config(yaml.safe_load(body), "README.md")


@pytest.mark.parametrize("body", POLICIES)
def test_every_policy_is_right(body):
    parse_policy(yaml.safe_load(body), "README.md")


def test_the_whole_run_file_shows_every_setting_at_its_default():
    (shown,) = [x for x in map(yaml.safe_load, blocks("yaml")) if "store" in x]
    least = {"data": {"name": "digits"}, "model": {"architecture": "resnet18"}}
    default = parse_run_config(least, "the least")
    assert parse_run_config(shown, "README.md") == default
    assert keys(shown) == keys(default.model_dump(mode="json", by_alias=True))


def keys(settings):
    """Return the names of all settings, those of sections with their section."""
    found = set()
    for name, value in settings.items():
        found.add(name)
        found |= {f"{name}.{x}" for x in keys(value)} if isinstance(value, dict) else set()
    return found


@pytest.mark.parametrize("body", [x for x in blocks("python") if x not in LOADS])
def test_every_piece_of_python_runs_as_it_stands(body, capsys):
    torch.manual_seed(0)
    exec(compile(body, "README.md", "exec"), {})
    assert "print(" not in body or capsys.readouterr().out


def test_every_local_link_and_path_leads_to_a_file():
    links = re.findall(r"\]\((?!\w+:|#)([^)]+)\)", TEXT)
    paths = re.findall(r"`((?:[\w.-]+/)+[\w.-]+\.(?:py|md|yaml|lock))`", WITHOUT_BLOCKS)
    assert links
    assert not [x for x in (*links, *paths) if not (ROOT / x.partition("#")[0]).exists()]


def test_every_folder_of_the_map_exists():
    (body,) = [x for x in blocks("text") if x.startswith("mixmatch/ ")]
    named_paths = re.findall(r"(?:^|\s{2,})([\w.]+(?:/|\.yaml))\s", body, re.MULTILINE)
    expected = ("benchmarks", "configs", "docs", "flows", "infra", "mixmatch", "tasks", "tests")
    assert {f"{x}/" for x in expected} <= set(named_paths)
    assert not [x for x in named_paths if not (ROOT / x).exists()]


def test_nothing_is_left_to_be_filled_in():
    assert not re.findall(r"^[A-Z_]{4,}$|TODO|FIXME|XXX", TEXT, re.MULTILINE)


@pytest.fixture
def own_network(tmp_path):
    """Write what the chapter on one's own network takes for granted, small enough for a test."""
    text = next(x for x in blocks("yaml") if "checkpoint: best.pt" in x)
    settings = yaml.safe_load(text)
    name = RunConfig.model_validate(settings).run_name
    settings["data"]["image_size"] = 16
    settings["model"]["architecture"] = "test_resnet"
    settings["fine_tune"]["max_epochs"] = 1
    for shade, label in ((60, "cat"), (180, "dog")):
        folder = tmp_path / settings["data"]["root"] / label
        folder.mkdir(parents=True)
        for number in range(20):
            Image.new("L", (16, 16), shade + number).save(folder / f"{number}.png")
    weights = timm.create_model("test_resnet", num_classes=2).state_dict()
    torch.save(weights, tmp_path / settings["model"]["checkpoint"])
    # The name that follows from the README's own architecture; two strategies are enough here.
    small = {"name": name, "strategies": ["conservative", "aggressive"], **settings}
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(small))
    return tmp_path


@pytest.mark.service
@pytest.mark.timeout(1200)  # two whole runs, of which each starts a server
def test_the_chapter_on_ones_own_network_works_from_its_first_to_its_last_line(own_network):
    for line in SHORT:
        call(own_network, *shlex.split(line))
    given = "import mlflow, numpy\nimages = numpy.zeros((2, 16, 16, 3), numpy.uint8)\n"
    (load,) = LOADS
    code = f"{given}{load}\nprint(probabilities.shape)"
    uri = f"sqlite:///{own_network}/.mixmatch/mlflow.db"
    shown = call(own_network, sys.executable, "-c", code, MLFLOW_TRACKING_URI=uri)
    assert shown == "(2, 2)\n"


@pytest.mark.service
@pytest.mark.timeout(1200)  # whole runs, of which each starts a server
def test_the_commands_on_the_projects_run_files_work_on_small_data(tmp_path):
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    assert ON_CONFIGS
    for line in ON_CONFIGS:
        small = [part for setting in SMALL for part in ("--set", setting)]
        call(tmp_path, *shlex.split(line), *small)


def call(folder, *command, **variables):
    environment = {k: v for k, v in os.environ.items() if k != "MIXMATCH_HOME"} | variables
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout
