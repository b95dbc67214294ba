"""Wall time of the audit on this machine: ``make audit-times``.

One version of a ResNet-18, and some 100 versions of one run; every network of these runs is
registered, on the front or not. Nothing is fine-tuned: an audit does not depend on it. All versions
are untouched, so that a link that does not hold is a false alarm, and ends this with exit code 1.

With a folder as its argument the versions are made there, and found there by the next call;
``make FOLDER`` only makes them.
"""

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

from flows.cli.app import app
from mixmatch.records import FamilyRecord, Result
from tasks import publish
from tasks.study.machine import Machine

MIXMATCH = Path(sys.executable).with_name("mixmatch")
# What its ranges reach.
TARGETS = (*(round(0.49 + 0.015 * step, 3) for step in range(24)), 0.842)


@dataclass(frozen=True, slots=True)
class Family:
    """What is registered, and how many versions the limit speaks of."""

    architecture: str
    criteria: tuple[str, ...]
    strategies: tuple[str, ...] | None
    target_sparsity: tuple[float, ...]


FAMILIES = (
    Family("resnet18", ("magnitude",), ("conservative", "aggressive"), ()),
    Family("test_resnet", ("magnitude", "gradient", "product"), None, TARGETS),
)


def main() -> None:
    """Register, audit, and print a table."""
    words = sys.argv[1:]
    if words[:1] == ["register"]:
        register(Path(words[1]))
    elif words[:1] == ["make"]:
        make(Path(words[1]))
    elif words:
        make(Path(words[0]))
        sys.exit(measure(Path(words[0])))
    else:
        with tempfile.TemporaryDirectory() as folder:
            make(Path(folder))
            sys.exit(measure(Path(folder)))


def make(folder: Path) -> None:
    """Register both families below ``folder``, those that are not there yet."""
    for family in FAMILIES:
        place = folder / family.architecture
        if (place / "made").exists():
            continue
        place.mkdir(parents=True, exist_ok=True)
        write_run_file(place, family)
        subprocess.run(
            [sys.executable, __file__, "register", str(place)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        (place / "made").touch()


def measure(folder: Path) -> int:
    """Audit one version and all of each family; return 1 if a link does not hold."""
    machine = Machine.here()
    print(f"{machine.hardware}; torch {machine.versions['torch']}\n")
    print(
        "| network | audit of | links | broken | s | whole command, s |\n|---|---|---|---|---|---|"
    )
    broken = 0
    for family in FAMILIES:
        for what in ("bench/1", "--all"):
            broken += timed(folder / family.architecture, family, what)
    return 1 if broken else 0


def write_run_file(folder: Path, family: Family) -> None:
    """Write a run file on scikit-learn's digits."""
    settings = {
        "name": "bench",
        "data": {"name": "digits", "image_size": 16},
        "model": {"architecture": family.architecture, "train": {"epochs": 1}},
        "criteria": list(family.criteria),
        "strategies": None if family.strategies is None else list(family.strategies),
        "target_sparsity": list(family.target_sparsity),
        "fine_tune": {"max_epochs": 0},
        "quantize": "none",
        "latency": "none",
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(settings))


def register(folder: Path) -> None:
    """Run the flow in this process, and register all of its results."""
    publish.registered = everything  # type: ignore[assignment]
    app(["run", str(folder / "run.yaml"), "--workspace", str(folder / "workspace")])


def everything(family: FamilyRecord) -> list[Result]:
    """Call every result one of the front."""
    return [result.model_copy(update={"on_front": True}) for result in family.results]


def timed(folder: Path, family: Family, what: str) -> int:
    """Audit, print a line, and return how many links do not hold."""
    started = time.monotonic()
    done = subprocess.run(
        [str(MIXMATCH), "audit", what, "--json", "--workspace", str(folder / "workspace")],
        check=False,
        capture_output=True,
        text=True,
    )
    whole = time.monotonic() - started
    found = json.loads(done.stdout.splitlines()[-1])
    versions = len(found["versions"])
    broken = sum(link["ok"] is False for link in found["links"])
    shown = f"{versions} version{'' if versions == 1 else 's'}"
    print(
        f"| {family.architecture} | {shown} | {len(found['links'])} | {broken} "
        f"| {found['seconds']:.1f} | {whole:.1f} |",
        flush=True,
    )
    return broken


if __name__ == "__main__":
    main()
