import re

import pytest
import yaml

from mixmatch.errors import ConfigError
from tasks.run_file import effective_yaml, load_run_file, settings_digest

MINIMAL = "data: {name: digits}\nmodel: {architecture: resnet18}\n"


@pytest.fixture
def run_file(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text(MINIMAL)
    return file


def test_overrides_are_applied_in_order(run_file):
    overrides = ["fine_tune.max_epochs=1", "fine_tune.max_epochs=2", "criteria=[product]"]
    config = load_run_file(run_file, overrides)
    assert config.fine_tune.max_epochs == 2
    assert config.criteria == ("product",)


def test_an_override_reaches_a_key_with_a_dot_through_its_section(run_file):
    config = load_run_file(run_file, ['ranges.layers={"layer4.*": [0, 0.5]}'])
    assert config.ranges.layers == {"layer4.*": (0.0, 0.5)}


def test_an_override_may_hold_an_equals_sign_and_be_empty(run_file):
    assert load_run_file(run_file, ["store=a=b", "name="]).store == "a=b"


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("seed", "--set must be key=value or key.sub=value, got 'seed'."),
        ("=3", "--set must be key=value or key.sub=value, got '=3'."),
        ("a..b=3", "--set must be key=value or key.sub=value, got 'a..b=3'."),
        (
            "data.name.x=3",
            "--set 'data.name.x=3' must name a setting, but data.name is a value.",
        ),
        (
            "seed=[",
            "The value of --set 'seed=[' must be plain YAML: expected the node content, but found "
            "'<stream end>' (line 1, column 2).",
        ),
    ],
)
def test_an_override_that_cannot_be_applied_is_refused(run_file, override, sentence):
    with pytest.raises(ConfigError, match=re.escape(sentence) + "$"):
        load_run_file(run_file, [override])


def test_an_unknown_override_is_refused_like_an_unknown_setting(run_file):
    with pytest.raises(ConfigError, match=r"run\.yaml with --set: engine\.worker is not a setting"):
        load_run_file(run_file, ["engine.worker=3"])


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "must hold settings as name: value, found nothing."),
        (b"- a\n", "must hold settings as name: value, found a list."),
        (b"\xff\xfe", "must be text in UTF-8 (invalid start byte)."),
        (b"a: *b", "must be plain YAML: the alias *b is not allowed (line 1, column 4)."),
    ],
)
def test_a_file_without_settings_is_refused(run_file, content, what):
    run_file.write_bytes(content)
    with pytest.raises(ConfigError, match=re.escape(f"The run file {run_file} {what}")):
        load_run_file(run_file)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"nothing\.yaml must exist, found nothing there"):
        load_run_file(tmp_path / "nothing.yaml")
    with pytest.raises(ConfigError, match=r"must be readable \(Is a directory\)"):
        load_run_file(tmp_path)


def test_the_digest_of_a_minimal_run_stays_the_same_for_ever(run_file):
    # If a new setting changes it, the setting's default does not keep old runs identical.
    digest = settings_digest(load_run_file(run_file))
    assert digest == "a8c85d55b6f9adad8b60bc13180b2f8c6e35f9067a76e085450de93af99d8d3a"


def test_the_digest_ignores_what_is_written_out_at_its_default(run_file):
    plain = settings_digest(load_run_file(run_file))
    assert settings_digest(load_run_file(run_file, ["fine_tune.patience=3", "seeds=[0]"])) == plain
    assert settings_digest(load_run_file(run_file, ["fine_tune.patience=4"])) != plain


def test_the_effective_file_means_the_same_and_holds_every_setting(run_file, tmp_path):
    config = load_run_file(run_file, ["ranges.roles.stem=[0, 0.1]", "register.name=x"])
    written = tmp_path / "effective.yaml"
    written.write_text(effective_yaml(config))
    assert load_run_file(written) == config
    assert yaml.safe_load(written.read_text())["fine_tune"]["patience"] == 3
