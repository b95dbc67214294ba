import hashlib
import subprocess
import sys

import pytest

from mixmatch.errors import ConfigError
from mixmatch.records import ModelSpec
from tasks.factory import (
    code_digest,
    factories_named,
    factory_of,
    find_factory,
    is_factory,
    module_source,
)

SOURCE = """
LIMIT = 3


def build(num_classes):
    return ("a network", num_classes)
"""


def spec_of(architecture, digest=None):
    return ModelSpec(
        architecture=architecture,
        arguments={},
        num_classes=2,
        image_shape=(8, 8, 1),
        mean=(0.5,),
        std=(0.25,),
        classes=("a", "b"),
        code_digest=digest,
    )


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a module into the current folder, under a name that no other test has."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def module(name, source=SOURCE):
        file = tmp_path / f"{name.replace('.', '/')}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(source)
        return file

    return module


def test_a_colon_makes_a_factory():
    assert is_factory("nets.small:build")
    assert not is_factory("resnet18")


def test_a_factory_is_found_in_the_current_folder(write):
    write("found_here.nets")
    assert find_factory("found_here.nets:build")(7) == ("a network", 7)


def test_the_current_folder_comes_first_and_once(write, tmp_path):
    write("first_of_two")
    write("second_of_two")
    find_factory("first_of_two:build")
    find_factory("second_of_two:build")
    assert [place for place in sys.path if place == str(tmp_path)] == sys.path[:1]


def test_installed_modules_are_found_too(write):
    assert find_factory("textwrap:dedent")("  a") == "a"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "nowhere_nets:build",
            r"got nowhere_nets, and there is no nowhere_nets in the current fol",
        ),
        ("json.nowhere:build", r"got json.nowhere, and there is no json.nowhere in the current"),
        ("math:sqrt", r"a Python source file, got math, which has none"),
        ("textwrap:nothing", r"got 'textwrap:nothing', and textwrap has no nothing\."),
        ("string:digits", r"returns a network, got 'string:digits', which is a str\."),
    ],
)
def test_a_factory_that_is_not_there_is_one_sentence(name, message, write):
    with pytest.raises(ConfigError, match=rf"^model\.architecture must name .*{message}"):
        find_factory(name)


@pytest.mark.parametrize(
    ("module", "source", "message"),
    [
        ("faulty_one", "1 / 0", r"importing faulty_one raised ZeroDivisionError: division by zero"),
        ("faulty_two", "import nowhere", r"raised ModuleNotFoundError: No module named 'nowhere'"),
        ("faulty_three", "raise SystemExit", r"importing faulty_three raised SystemExit: \.$"),
        ("faulty_four", "def", r"importing faulty_four raised SyntaxError: invalid syntax"),
    ],
)
def test_a_module_that_cannot_be_imported_is_one_sentence(module, source, message, write):
    write(module, source)
    with pytest.raises(ConfigError, match=rf"^model\.architecture must name .*{message}"):
        find_factory(f"{module}:build")


def test_the_digest_is_that_of_the_source_as_it_was_imported(write):
    file = write("digested")
    expected = hashlib.sha256(SOURCE.encode()).hexdigest()
    assert code_digest("digested:build") == expected
    file.write_text("changed = True")
    assert code_digest("digested:build") == expected
    source = module_source(spec_of("digested:build", expected))
    assert (source.path, source.content, source.digest) == (file, SOURCE.encode(), expected)


def test_known_architectures_have_no_code_and_no_factory():
    assert code_digest("resnet18") is None
    assert factory_of(spec_of("resnet18")) is None


def test_the_factory_of_a_spec_must_be_the_code_that_the_spec_was_made_with(write):
    write("pinned")
    digest = code_digest("pinned:build")
    assert factory_of(spec_of("pinned:build", digest))(3) == ("a network", 3)
    with pytest.raises(
        ConfigError, match=rf"'pinned:build' must be the one .* 0{{64}}, but pinned.py has {digest}"
    ):
        factory_of(spec_of("pinned:build", "0" * 64))


def test_every_factory_that_json_names_is_found_at_any_depth():
    spec = {"architecture": "subprocess:Popen", "arguments": {}}
    record = {"inputs": {"spec": spec}, "steps": [[{"architecture": "own:build"}], "a:b", None]}
    assert sorted(factories_named(record)) == ["own:build", "subprocess:Popen"]
    assert not list(factories_named({"spec": {"architecture": "resnet18"}, "architecture": 7}))


def test_names_are_looked_at_without_loading_torch():
    check = "import sys, tasks.factory; assert not {'torch', 'timm'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)
