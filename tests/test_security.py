"""Every test that docs/security.md names exists, and those threats that have no other home."""

import ast
import re
import traceback
from pathlib import Path

import pytest

from mixmatch.config import parse_run_config
from mixmatch.errors import ConfigError

ROOT = Path(__file__).resolve().parents[1]
THREATS = (ROOT / "docs/security.md").read_text().partition("\n## ")[0]
ROWS = re.findall(r"^\| .*", THREATS, re.MULTILINE)[1:]
MINIMAL = {"data": {"name": "digits"}, "model": {"architecture": "resnet18"}}


def functions(file):
    return {x.name for x in ast.walk(ast.parse(file.read_text())) if isinstance(x, ast.FunctionDef)}


@pytest.mark.parametrize("row", ROWS)
def test_every_threat_has_tests_that_exist(row):
    named = re.findall(r"`(tests/[^`]+)::(\w+)`", row)
    assert named
    for file, test in named:
        assert test in functions(ROOT / file)


def test_the_table_was_found():
    assert len(ROWS) >= 12


@pytest.mark.parametrize("name", ["../x", "a/b", "a;rm", "$(id)", "`id`", "a b", "-x", "a\n", ""])
@pytest.mark.parametrize("place", ["name", "register"])
def test_a_name_with_path_or_shell_characters_is_refused(place, name):
    change = {"name": name} if place == "name" else {"register": {"name": name}}
    with pytest.raises(ConfigError, match="name must") as raised:
        parse_run_config({**MINIMAL, **change}, "r.yaml")
    assert "\n" not in str(raised.value)


PLACES = {
    "data.root": {"data": {"name": "image_folder", "root": "https://me:hunter2@host/a?b=hunter2"}},
    "data.validation_root": {"data": {"name": "digits", "validation_root": "ftp://me:hunter2@h/"}},
    "model.checkpoint": {
        "model": {"architecture": "resnet18", "checkpoint": "https://host/x.pt?sig=hunter2"}
    },
    "engine.address": {"engine": {"kind": "dask", "address": "tcp://me:hunter2@host:8786"}},
    "notify (entry 1)": {"notify": ["https://hooks.example.org/x?token=hunter2"]},
    "store": {"store": "gs://me:hunter2@bucket/x"},
    "seed": {"seed": "https://me:hunter2@host"},
}


@pytest.mark.parametrize("place", PLACES)
def test_an_address_with_a_secret_is_refused_without_showing_it(place):
    with pytest.raises(ConfigError, match=re.escape(f"r.yaml: {place} must")) as raised:
        parse_run_config({**MINIMAL, **PLACES[place]}, "r.yaml")
    assert "hunter2" not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("store", ["s3://KEYID:hunter2@bucket/x", "s3://bucket/x?secret=hunter2"])
def test_a_store_with_credentials_is_refused_without_showing_them(store):
    with pytest.raises(ConfigError, match="without credentials") as raised:
        parse_run_config({**MINIMAL, "store": store}, "r.yaml")
    assert "hunter2" not in str(raised.value)
