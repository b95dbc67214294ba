"""A registered model of a user's own network loads where its module is not installed."""

import hashlib
import json
import subprocess
import sys

import mlflow
import numpy as np
import pytest
import torch

from mixmatch.errors import ConfigError
from mixmatch.packed import load_packed, save_packed
from mixmatch.records import ModelSpec
from tasks.factory import find_factory
from tasks.networks import build_network
from tasks.tracking.connection import silence
from tasks.tracking.model_folder import write_model_folder

SOURCE = """
from __future__ import annotations

from dataclasses import dataclass

from torch import nn


@dataclass
class Sizes:
    width: int


def build(num_classes: int, in_chans: int, width: int = 4) -> nn.Module:
    sizes = Sizes(width)
    first = nn.Conv2d(in_chans, sizes.width, 3)
    head = nn.Linear(sizes.width, num_classes)
    return nn.Sequential(first, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)
"""
LOAD = """
import json, sys, mlflow, numpy as np
model = mlflow.pyfunc.load_model(sys.argv[1])
print(json.dumps(model.predict(np.zeros((1, 8, 8, 3), np.uint8)).tolist()))
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Write a network's module into the current folder; return its packed and model folder."""
    silence()
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(module, source=SOURCE):
        (work / f"{module}.py").write_text(source)
        spec = ModelSpec(
            architecture=f"{module}:build",
            arguments={"width": 6},
            num_classes=2,
            image_shape=(8, 8, 3),
            mean=(0.5, 0.5, 0.5),
            std=(0.25, 0.25, 0.25),
            classes=("a", "b"),
            code_digest=hashlib.sha256(source.encode()).hexdigest(),
        )
        torch.manual_seed(0)
        save_packed(tmp_path / f"{module}.packed", build_network(spec), spec)
        folder = tmp_path / f"{module}.model"
        write_model_folder(folder, tmp_path / f"{module}.packed", spec, "m-1")
        return tmp_path / f"{module}.packed", folder

    return write


def test_the_model_loads_in_another_process_where_its_module_is_unknown(own, tmp_path):
    packed, folder = own("served_elsewhere")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    ran = subprocess.run(
        [sys.executable, "-c", LOAD, str(folder)],
        check=True,
        capture_output=True,
        text=True,
        cwd=elsewhere,
    )
    network = load_packed(packed, factory=find_factory("served_elsewhere:build"))
    with torch.inference_mode():
        expected = network(torch.full((1, 3, 8, 8), -2.0)).softmax(dim=1)
    found = np.array(json.loads(ran.stdout.splitlines()[-1]))
    # The other process may sum in another order.
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-6)
    assert sorted(x.name for x in (folder / "code").iterdir()) == ["served_elsewhere.py"]


def test_models_whose_files_are_called_alike_keep_their_own_code(own):
    _, folder = own("alike")
    _, other = own("alike_too", SOURCE.replace("AdaptiveAvgPool2d", "AdaptiveMaxPool2d"))
    (other / "code/alike_too.py").rename(other / "code/alike.py")
    description = other / "MLmodel"
    description.write_text(description.read_text().replace("code/alike_too.py", "code/alike.py"))
    pools = [
        type(mlflow.pyfunc.load_model(str(x)).unwrap_python_model().model[1]).__name__
        for x in (folder, other)
    ]
    assert pools == ["AdaptiveAvgPool2d", "AdaptiveMaxPool2d"]


def test_code_that_was_changed_in_the_model_is_not_run(own, tmp_path):
    _, folder = own("tampered")
    (folder / "code/tampered.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(ConfigError, match=r"must be built by the code that it was pruned with"):
        mlflow.pyfunc.load_model(str(folder))
    assert not (tmp_path / "ran").exists()


def test_code_that_needs_what_is_not_there_is_one_sentence(own, tmp_path):
    sibling = tmp_path / "work" / "lonely_sibling.py"
    sibling.touch()
    _, folder = own("needing", SOURCE.replace("from torch", "import lonely_sibling\nfrom torch"))
    sibling.unlink()
    del sys.modules["lonely_sibling"]
    with pytest.raises(ConfigError, match=r"stored beside this model or installed here: No module"):
        mlflow.pyfunc.load_model(str(folder))
