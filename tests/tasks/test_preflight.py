import sys

import pytest
import timm
from safetensors.torch import save_file

from mixmatch.config import parse_run_config
from mixmatch.errors import CheckpointError, ConfigError
from tasks.checkpoint import locate_checkpoint
from tasks.preflight import check_network
from tasks.site import Site
from tasks.workspace import Workspace

DIGEST = "d" * 64


@pytest.fixture
def check(tmp_path):
    """Look at a run whose data set was never fetched."""
    site = Site.at(Workspace.open(tmp_path / "workspace"))

    def look(**model):
        values = {"data": {"name": "digits", "image_size": 16}, "model": model}
        config = parse_run_config(values, "r")
        check_network(config, DIGEST, locate_checkpoint(config.model, site), site)

    return look


def test_an_unknown_architecture_is_refused(check):
    with pytest.raises(ConfigError, match="knows no architecture 'resnet81'"):
        check(architecture="resnet81")


def test_weights_of_another_architecture_are_refused(check, tmp_path):
    save_file(timm.create_model("test_vit", img_size=16).state_dict(), tmp_path / "n.safetensors")
    with pytest.raises(CheckpointError, match=r"n\.safetensors do not fit"):
        check(architecture="test_resnet", checkpoint=str(tmp_path / "n.safetensors"))


def test_a_head_is_not_compared_before_the_classes_are_known(check, tmp_path):
    weights = timm.create_model("test_resnet", num_classes=7).state_dict()
    save_file(weights, tmp_path / "n.safetensors")
    check(architecture="test_resnet", checkpoint=str(tmp_path / "n.safetensors"))


def test_an_own_network_may_have_its_own_number_of_classes(check, tmp_path, monkeypatch):
    source = "from torch import nn\n\n\ndef build():\n    return nn.Linear(1, 43)\n"
    (tmp_path / "signs_net.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    check(architecture="signs_net:build")
    with pytest.raises(ConfigError, match="signs_net has no other"):
        check(architecture="signs_net:other")
