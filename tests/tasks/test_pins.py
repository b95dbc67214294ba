"""Sources of a restored workspace whose store has lost what was made from them."""

import json

import pytest
from PIL import Image

from mixmatch.config import parse_run_config
from mixmatch.errors import CheckpointError, DataError, WorkspaceError
from tasks import pins as module
from tasks.checkpoint import LocatedCheckpoint
from tasks.data import LocatedData, locate_data
from tasks.pins import Pins, find_checkpoint, find_data, read_pins
from tasks.site import Site
from tasks.workspace import Workspace


@pytest.fixture
def site(tmp_path):
    return Site.at(Workspace.open(tmp_path / "workspace"))


@pytest.fixture
def config(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / "images" / name).mkdir(parents=True)
        Image.new("RGB", (4, 4)).save(tmp_path / "images" / name / "1.png")
    (tmp_path / "own.safetensors").write_bytes(b"weights")
    return parse_run_config(
        {
            "data": {"name": "image_folder", "root": str(tmp_path / "images")},
            "model": {
                "architecture": "test_resnet",
                "checkpoint": str(tmp_path / "own.safetensors"),
            },
        },
        "run",
    )


def pinned(config, digest="0" * 64, label="own.safetensors"):
    data, model = config.data, config.model
    return Pins(
        data_settings={"name": data.name, "root": data.root, "validation_root": None},
        data=LocatedData(label="images", source_digest=digest, path=data.root),
        model_settings={"architecture": model.architecture, "checkpoint": model.checkpoint},
        checkpoint=LocatedCheckpoint(label=label, digest=digest, path=model.checkpoint),
    )


def test_a_workspace_that_was_not_restored_has_none(site):
    assert read_pins(site) is None


def test_damaged_ones_are_refused(site):
    (site.open_workspace().root / "pins.json").write_text(json.dumps({"data": 1}))
    with pytest.raises(WorkspaceError, match=r"pins\.json must hold what the workspace was rest"):
        read_pins(site)


def test_sources_that_became_others_are_refused(site, config):
    pins, data = pinned(config), locate_data(config.data, site.open_workspace())
    sentence = r"must be the one that the restored version was made from, SHA-256 0{64}, and is now"
    with pytest.raises(DataError, match=rf"^The data set .*images {sentence} {data.source_digest}"):
        find_data(pins, config, site)
    with pytest.raises(CheckpointError, match=rf"^The checkpoint own\.safetensors {sentence}"):
        find_checkpoint(pins, config, data, site)


def test_sources_that_are_as_they_were_are_read_again(site, config):
    data = locate_data(config.data, site.open_workspace())
    pins = pinned(config, digest=data.source_digest)
    assert find_data(pins, config, site) == data


def test_other_sources_are_none_of_its_business(site, config, tmp_path):
    pins = pinned(config)
    other = config.data.model_copy(update={"root": str(tmp_path / "images" / ".." / "images")})
    changed = config.model_copy(update={"data": other})
    assert find_data(pins, changed, site).label == str(tmp_path / "images")


def test_of_a_registered_base_the_version_is_found_not_the_alias(site, config, monkeypatch):
    """The alias that the run file names may have moved since."""
    asked = []
    monkeypatch.setattr(
        module, "locate_checkpoint", lambda settings, _: asked.append(settings.checkpoint)
    )
    model = config.model.model_copy(update={"checkpoint": "models:/base@champion"})
    config = config.model_copy(update={"model": model})
    data = locate_data(config.data, site.open_workspace())
    find_checkpoint(pinned(config, label="models:/base/3"), config, data, site)
    assert asked == ["models:/base/3"]


def test_the_restored_base_stands_for_a_lost_checkpoint_on_another_machine(site, config, tmp_path):
    """There its record is not found, since its key has the number of cores."""
    store = site.open_store()
    with store.scratch() as folder:
        (folder / "base").write_bytes(b"weights")
        base = store.put(folder / "base")
    (tmp_path / "own.safetensors").unlink()
    data = locate_data(config.data, site.open_workspace())
    pins = pinned(config).model_copy(update={"base": base})
    found = find_checkpoint(pins, config, data, site)
    assert (found.digest, found.label) == ("0" * 64, "own.safetensors")
    assert found.path == str(store.path(base))
    store.path(base).write_bytes(b"garbage")
    with pytest.raises(CheckpointError, match=r"own\.safetensors"):
        find_checkpoint(pins, config, data, site)


def test_a_base_that_got_a_new_head_stands_for_no_checkpoint(site, config):
    store = site.open_store()
    with store.scratch() as folder:
        (folder / "base").write_bytes(b"weights")
        base = store.put(folder / "base")
    data = locate_data(config.data, site.open_workspace())
    model = config.model.model_copy(update={"allow_new_head": True})
    pins = pinned(config).model_copy(update={"base": base})
    with pytest.raises(CheckpointError, match="must be the one that the restored version was made"):
        find_checkpoint(pins, config.model_copy(update={"model": model}), data, site)
