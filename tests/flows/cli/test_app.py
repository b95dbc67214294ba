import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
COMMANDS = (
    *("demo", "run", "study", "studies", "plan", "fetch", "base"),
    *("list", "show", "export", "inspect", "promote", "approve", "rollback"),
    *("audit", "restore", "gc", "schedule", "serve", "ui", "doctor", "reap"),
)
SLOW = ("torch", "prefect", "mlflow", "dvc", "plotly", "sklearn", "numpy", "pydantic", "rich")


def test_help_names_every_command_in_full(mixmatch):
    result = mixmatch("--help")
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.split("Commands:")[1].splitlines()[1:]] == [
        *COMMANDS
    ]
    assert "..." not in result.stdout.split("Commands:")[1]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(mixmatch, command):
    result = mixmatch(command, "--help")
    assert result.exit_code == 0
    assert f"Example: mixmatch {command}" in result.stdout
    assert command in {"inspect", "studies"} or "--workspace" in result.stdout
    assert command in {"ui", "serve"} or "--json" in result.stdout


def test_the_version_is_that_of_the_package(mixmatch):
    result = mixmatch("--version")
    assert (result.exit_code, result.stdout) == (0, f"mixmatch {version('mixmatch')}\n")


def test_an_unknown_command_is_wrong_input(mixmatch):
    result = mixmatch("rum")
    assert result.exit_code == 2
    assert "No such command 'rum'. Did you mean 'run'?" in result.stderr


def test_start_up_loads_nothing_slow():
    code = f"import sys, flows.cli; print([x for x in {SLOW} if x in sys.modules])"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert loaded.stdout == "[]\n"


def test_help_takes_little_processor_time():
    before = _child_seconds()
    code = "import flows.cli; flows.cli.main()"
    subprocess.run(
        [sys.executable, "-c", code, "--help"], cwd=ROOT, check=True, capture_output=True
    )
    assert _child_seconds() - before < 0.6  # wall time would measure what else the machine does


def _child_seconds():
    import resource

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
