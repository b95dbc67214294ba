from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

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
