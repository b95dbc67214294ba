import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from mixmatch.errors import ConfigError
from tasks.factory import code_digest
from tasks.tracking.model_folder import requirements, write_model_folder


@pytest.fixture
def folder(site, pack, spec, tmp_path):
    packed = site.open_store().path(pack())
    write_model_folder(tmp_path / "model", packed, spec, "m-1")
    return tmp_path / "model"


def test_the_folder_holds_code_and_the_packed_file_and_no_pickle(folder):
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files == {
        "MLmodel",
        "artifacts/network.packed",
        "python_env.yaml",
        "requirements.txt",
        "served_model.py",
    }


def test_the_description_says_what_goes_in_and_what_comes_out(folder):
    model = yaml.safe_load((folder / "MLmodel").read_text())
    assert model["metadata"]["architecture"] == "test_resnet"
    assert model["metadata"]["classes"] == ["circle", "square", "star"]
    assert [x["shape"] for x in model["metadata"]["inputs"]] == [[-1, 16, 16, 3], [-1, 3, 16, 16]]
    assert model["signature"]["inputs"] is None
    assert model["flavors"]["python_function"]["model_code_path"] == "served_model.py"
    assert '"shape": [-1, 3]' in model["signature"]["outputs"]
    assert model["model_id"] == "m-1"


def test_the_description_names_no_place_of_this_machine_and_no_cloudpickle(folder):
    text = (folder / "MLmodel").read_text()
    assert "cloudpickle" not in text
    assert str(folder.parent) not in text
    assert str(Path(__file__).parents[3]) not in text


def test_requirements_are_pinned_without_local_suffixes():
    torch = version("torch").split("+")[0]
    assert f"torch=={torch}" in requirements()
    assert not any("+" in line for line in requirements())


@pytest.fixture
def own_folder(site, pack, spec, tmp_path, monkeypatch):
    """Write the model folder of a user's own network, whose module has the given source."""
    packed = site.open_store().path(pack())
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(module, source="build = dict\n", digest=None):
        file = tmp_path / "work" / f"{module.replace('.', '/')}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(source)
        name = f"{module.removesuffix('.__init__')}:build"
        stated = digest or code_digest(name)
        own = spec.model_copy(update={"architecture": name, "code_digest": stated})
        write_model_folder(tmp_path / "own", packed, own, "m-1")
        return tmp_path / "own"

    return write


def artifacts_of(folder):
    model = yaml.safe_load((folder / "MLmodel").read_text())
    return model["flavors"]["python_function"]["artifacts"]


def test_the_source_of_a_users_own_network_is_carried(own_folder):
    folder = own_folder("carried_nets.small", "import torch\nbuild = dict\n")
    assert artifacts_of(folder)["factory"] == {"path": "code/small.py", "uri": "code/small.py"}
    assert (folder / "code/small.py").read_text() == "import torch\nbuild = dict\n"


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("whole_package.__init__", "build = dict\n"),
        ("part_of_package.small", "def build():\n    from . import other\n"),
    ],
)
def test_a_module_that_cannot_stand_alone_is_not_carried(own_folder, module, source):
    folder = own_folder(module, source)
    assert list(artifacts_of(folder)) == ["packed"]
    assert not (folder / "code").exists()


def test_source_that_is_another_by_now_is_refused(own_folder):
    with pytest.raises(ConfigError, match=r"source of 'changed_nets:build' must be the one that"):
        own_folder("changed_nets", digest="0" * 64)
