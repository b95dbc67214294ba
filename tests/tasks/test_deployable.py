from mixmatch.config import RunConfig
from tasks.deployable import with_absolute_places

MODEL = {"architecture": "resnet18"}


def test_relative_places_are_taken_from_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = {"name": "image_folder", "root": "photos", "validation_root": "../other"}
    settings = {"data": data, "model": {**MODEL, "checkpoint": "best.pt"}, "store": "store"}
    found = with_absolute_places(RunConfig.model_validate(settings))
    assert found.data.root == str(tmp_path / "photos")
    assert found.data.validation_root == str(tmp_path.parent / "other")
    assert found.model.checkpoint == str(tmp_path / "best.pt")
    assert found.store == str(tmp_path / "store")


def test_addresses_and_what_is_not_given_stay():
    for checkpoint in ("timm", "models:/net@champion", None):
        model = {**MODEL, "checkpoint": checkpoint}
        config = RunConfig.model_validate({"data": {"name": "digits"}, "model": model})
        assert with_absolute_places(config) == config
