"""The command on the paper's run file: `plan` gives the sparsities that the paper published."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from mixmatch.models import build_model
from mixmatch.records import ModelSpec

RUN_FILE = Path(__file__).parents[3] / "configs" / "paper" / "swin-tiny-cifar100.yaml"
# METHOD, section 7; in percent, as published.
PUBLISHED = {
    "conservative": 33.19,
    "aggressive": 49.75,
    "balanced": 41.47,
    "percentile_30": 38.16,
    "percentile_50": 41.47,
    "percentile_70": 44.78,
    "percentile_90": 48.10,
    "parameter_share": 40.93,
    "mlp_heavy": 42.60,
    "attention_aggressive": 44.61,
}


@pytest.fixture
def images(tmp_path):
    """A hundred classes of two grey images."""
    for shade in range(100):
        folder = tmp_path / "images" / f"{shade:02}"
        folder.mkdir(parents=True)
        for size in (8, 12):
            Image.new("L", (size, size), shade).save(folder / f"{size}.png")
    return tmp_path / "images"


@pytest.fixture
def checkpoint(tmp_path):
    torch.manual_seed(0)
    spec = ModelSpec(
        architecture="swin_tiny_patch4_window7_224",
        arguments={},
        num_classes=100,
        image_shape=(32, 32, 3),
        mean=(0.5,) * 3,
        std=(0.5,) * 3,
        classes=tuple(str(number) for number in range(100)),
    )
    save_file(build_model(spec).state_dict(), tmp_path / "random.safetensors")
    return tmp_path / "random.safetensors"


def test_plan_gives_the_published_sparsities_of_swin(mixmatch, images, checkpoint):
    # The paper's own images do not matter to a preset, but their number of classes does.
    data = f"{{name: image_folder, root: {images}, validation_fraction: 0.05, test_fraction: 0.05}}"
    here = (f"data={data}", f"model.checkpoint={checkpoint}")
    options = (part for override in here for part in ("--set", override))
    result = mixmatch("plan", RUN_FILE, "--json", *options)
    assert result.exit_code == 0, result.stderr
    plan = json.loads(result.stdout)
    assert [layer["observed"] for layer in plan["layers"]] == [None] * 53
    reached = {name: 100 * x["sparsity"] for name, x in plan["strategies"].items()}
    assert reached == {name: pytest.approx(pct, abs=0.011) for name, pct in PUBLISHED.items()}
    assert list(reached) == list(PUBLISHED)
