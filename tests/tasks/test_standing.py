"""What an earlier run has left under DVC, beside what other runs of the workspace leave there."""

from types import SimpleNamespace

import pytest

from mixmatch.config import RunConfig
from tasks.site import Site
from tasks.standing import _is_versioned
from tasks.versioning import version_files


@pytest.fixture
def site(tmp_path):
    return Site(workspace=str(tmp_path / "workspace"), store=str(tmp_path / "store"))


@pytest.fixture
def versioned(site, tmp_path):
    """Version one file of that content as the folder, and return its hash."""

    def version(folder, content):
        file = tmp_path / "file"
        file.write_text(content)
        return version_files(site, folder, {"file": file}).md5

    return version


def test_another_data_set_of_that_name_and_another_family_change_nothing(
    site, versioned, tiny_data
):
    config = RunConfig(
        name="cats",
        data={"name": "image_folder", "root": "cats"},
        model={"architecture": "resnet18"},
    )
    data = tiny_data.model_copy(update={"name": "image_folder"})
    md5s = {
        "dvc.data.md5": versioned("data-image_folder", "cats"),
        "dvc.family.md5": versioned("family-cats", "one"),
    }
    run = SimpleNamespace(tags=md5s)
    versioned("data-image_folder", "dogs")
    versioned("family-dogs", "another")
    assert _is_versioned(run, config, data, site)

    for name in md5s:
        never = SimpleNamespace(tags={**md5s, name: f"{'0' * 32}.dir"})
        assert not _is_versioned(never, config, data, site)
    versioned("family-cats", "two")
    assert not _is_versioned(run, config, data, site)
