import pytest

from tasks.site import Site
from tasks.workspace import Workspace


@pytest.fixture
def site(tmp_path):
    workspace = Workspace.open(tmp_path / "workspace")
    return Site.at(workspace)


@pytest.fixture
def stored(site):
    """Two files in the store, by the names that a family would give them."""
    store, files = site.open_store(), {}
    for name, content in {"first.safetensors": b"one" * 1000, "deep/second.bin": b"two"}.items():
        with store.scratch() as folder:
            file = folder / "file"
            file.write_bytes(content)
            files[name] = store.path(store.put(file))
    return files
