"""A registry of real packed networks that were never trained, evaluated on images of noise."""

import shutil

import pytest

from tests.tasks.promotion.shop import Shop


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """A workspace with four versions, made once; its database is migrated once too."""
    root = tmp_path_factory.mktemp("promotion") / "workspace"
    shop = Shop(root)
    for seed, pruned in ((1, 0.2), (2, 0.9), (3, 0.5), (4, 0.7)):
        shop.register(seed=seed, pruned=pruned)
    return root


@pytest.fixture
def shop(template, tmp_path, monkeypatch):
    """A copy of the template; the files of its versions stay where they were registered."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    root = tmp_path / "workspace"
    root.mkdir()
    for file in template.glob("mlflow.db*"):  # with what SQLite has not yet moved into it
        shutil.copyfile(file, root / file.name)
    shutil.copytree(template / "store", root / "store")
    return Shop(root)
