"""The pins without which Prefect silently fails, and a lock that keeps them, here and elsewhere."""

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
RUNTIME = [Requirement(line) for line in PROJECT["dependencies"]]
EXTRAS = PROJECT["optional-dependencies"]
OPTIONAL = [Requirement(line) for name in ("team", "dev") for line in EXTRAS[name]]
LOCK = (ROOT / "requirements.lock").read_text()
LOCKED = [
    Requirement(line.removesuffix("\\").strip())
    for line in LOCK.splitlines()
    if not line.startswith(" ")
]

# Name: a version that works, and one that must not come.
VITAL = {
    "fastapi": ("0.150.0", "0.151.0"),  # TypeError in Prefect 3.8 at the start of every flow
    "sqlalchemy": ("2.0.58", "2.1.0"),  # Prefect 3.8 shows a deployment READY and schedules nothing
    "prefect": ("3.8.8", "3.9.1"),  # needs a certifi that registries do not serve
    "mlflow": ("3.17.2", "3.16.9"),  # older ones have known holes
}


def requirement(name):
    (found,) = [x for x in RUNTIME if canonicalize_name(x.name) == name]
    return found


def locked(name):
    return [x for x in LOCKED if canonicalize_name(x.name) == canonicalize_name(name)]


def exact(pinned):
    (pin,) = pinned.specifier
    assert pin.operator == "=="
    return pin.version


@pytest.mark.parametrize("name", VITAL)
def test_the_project_takes_the_version_that_works_and_not_the_one_that_fails(name):
    works, fails = VITAL[name]
    assert works in requirement(name).specifier
    assert fails not in requirement(name).specifier


@pytest.mark.parametrize("wanted", [*RUNTIME, *OPTIONAL], ids=lambda x: x.name)
def test_the_lock_holds_every_dependency_in_an_allowed_version(wanted):
    pins = locked(wanted.name)
    assert pins
    assert all(wanted.specifier.contains(exact(pin), prereleases=True) for pin in pins)


@pytest.mark.parametrize("wanted", [*RUNTIME, *OPTIONAL], ids=lambda x: x.name)
def test_what_is_installed_is_allowed(wanted):
    assert wanted.specifier.contains(version(wanted.name), prereleases=True)


@pytest.mark.parametrize("wanted", RUNTIME, ids=lambda x: x.name)
def test_what_is_installed_is_what_the_lock_names(wanted):
    # A local part such as +cpu says which build of the same version it is.
    here = [pin for pin in locked(wanted.name) if pin.marker is None or pin.marker.evaluate()]
    assert [exact(pin) for pin in here] == [Version(version(wanted.name)).public]


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_the_lock_names_each_package_once_for_each_python(python):
    machine = {
        "python_version": python,
        "python_full_version": f"{python}.9",
        "sys_platform": "linux",
        "platform_machine": "x86_64",
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
    }
    names = [x.name for x in LOCKED if x.marker is None or x.marker.evaluate(machine)]
    assert len(names) == len(set(names))
    assert {canonicalize_name(x.name) for x in RUNTIME} <= {canonicalize_name(x) for x in names}


def test_every_pin_is_exact_and_hashed():
    blocks = re.split(r"\n(?! )", LOCK.strip())
    assert len(blocks) == len(LOCKED) > 200
    for block in blocks:
        pin, *hashes = block.splitlines()
        assert re.fullmatch(r"[a-z0-9-]+==[0-9][\w.!+-]*( ; .+)? \\", pin)
        assert hashes
        assert all(re.fullmatch(r" {4}--hash=sha256:[0-9a-f]{64}( \\)?", x) for x in hashes)


def test_the_lock_names_no_index_and_no_host():
    assert not re.search(r"://|--\S*(index|links|host)|@|#", LOCK)
