from pathlib import Path

import pytest

from mixmatch.config import Policy
from mixmatch.errors import ConfigError
from tasks.promotion import load_policy

POLICIES = sorted((Path(__file__).resolve().parents[3] / "configs" / "policies").glob("*.yaml"))


@pytest.mark.parametrize("file", POLICIES, ids=lambda file: file.name)
def test_every_policy_of_the_project_is_right_and_shows_every_setting(file):
    assert load_policy(file).model_fields_set == set(Policy.model_fields)


def test_there_are_policies():
    assert POLICIES


def test_an_alias_takes_the_place_of_the_files_own_and_is_checked_alike(tmp_path):
    file = tmp_path / "policy.yaml"
    file.write_text("alias: champion\nlargest_bytes: 5\n")
    assert load_policy(file, alias="beta") == Policy(alias="beta", largest_bytes=5)
    with pytest.raises(ConfigError, match=r"policy.yaml with --alias: alias must be .*'latest'"):
        load_policy(file, alias="latest")


def test_an_object_tag_in_a_policy_is_refused(tmp_path):
    file = tmp_path / "policy.yaml"
    file.write_text("alias: !!python/object/apply:os.system [id]\n")
    with pytest.raises(ConfigError, match=r"must be plain YAML"):
        load_policy(file)
