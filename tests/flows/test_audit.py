"""A tiny family, audited untouched and after one byte or field of a stored thing was changed."""

import json
from contextlib import contextmanager

import pytest

from mixmatch.records import Verdict
from tasks.audit import audit_all, audit_file, audit_model, signature_of, verdict_of
from tasks.restore import restore_version
from tasks.signing import PUBLIC_VARIABLE
from tasks.tracking.connection import connect
from tasks.tracking.evidence import version_evidence
from tasks.workspace import Workspace
from tests.flows.command import run_command
from tests.flows.tampering import changed, flipped, updated

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def site(audited_site):
    return audited_site


@pytest.fixture(scope="module")
def steps(papers):
    statement = json.loads((papers / "lineage.json").read_text())
    record = statement["predicate"]["buildDefinition"]["internalParameters"]["record"]
    return {"record": record, **{trace["step"]: trace for trace in record["steps"]}}


def broken(site, version):
    return [link.name for link in audit_model(site, version.reference).versions[0].failed]


def test_untouched_versions_pass_and_nothing_is_left_out_but_the_signature(site):
    audit = audit_all(site)
    assert audit.ok
    assert len(audit.versions) >= 1
    for one in audit.versions:
        assert [link.name for link in one.unchecked] == ["lineage/signature"]


def test_the_promotion_gate_gets_its_answer(site, version):
    assert verdict_of(site, version.reference) == Verdict(ok=True)


OBJECTS = {
    "fetch/file": ("fetch", "artifact"),
    "base/file": ("base", "artifact"),
    "sensitivity/file": ("sensitivity", "artifact"),
    "sensitivity/curvature": ("sensitivity", "curvature"),
    "member/file": ("member", "artifact"),
    "quantize/file": ("quantize", "artifact"),
}


@pytest.mark.parametrize("link", OBJECTS)
def test_one_bit_of_a_stored_file_is_named(site, version, steps, link):
    step, field = OBJECTS[link]
    digest = steps[step]["record"][field]["digest"]
    with flipped(site.open_workspace().store / "objects" / digest[:2] / digest):
        assert broken(site, version) == [link]


@pytest.mark.parametrize("step", ["fetch", "base", "sensitivity", "plan", "member", "quantize"])
def test_one_field_of_a_stored_record_is_named(site, version, steps, step):
    file = site.open_workspace().store / "records" / step / f"{steps[step]['key']}.json"
    stored = json.loads(file.read_text())
    stored["record"] |= {"num_images": 1} if step == "sensitivity" else {"forged": 1}
    with changed(file, json.dumps(stored).encode()):
        assert broken(site, version) == [f"{step}/record"]


def test_one_bit_of_the_registered_file_is_named(site, version, papers):
    with flipped(papers / "network.packed"):
        assert broken(site, version) == ["registry/file"]


def test_one_field_of_the_lineage_is_named(site, version, papers):
    file = papers / "lineage.json"
    text = file.read_text().replace('"seed": 0', '"seed": 1', 1)
    with changed(file, text.encode()):
        assert broken(site, version) == ["lineage"]


@pytest.mark.parametrize(
    ("tag", "link"),
    [
        ("lineage.digest", "lineage"),
        ("accuracy", "registry/tags"),
        ("mask_digest", "registry/tags"),
        ("digest", "registry/tags"),
        ("int8.digest", "run/int8"),
    ],
)
def test_a_changed_tag_of_the_version_is_named(site, version, tag, link):
    where = f"name = 'tiny' and version = {version.version} and key = '{tag}'"
    with updated(site, "model_version_tags", "value", "0.5", where):
        assert broken(site, version) == [link]


def test_a_changed_metric_is_named(site, version):
    where = f"run_uuid = '{version.run_id}' and key = 'test_accuracy'"
    with updated(site, "latest_metrics", "value", 0.999, where):
        assert broken(site, version) == ["run/figures"]


@pytest.mark.parametrize(
    ("table", "key", "link"),
    [
        ("params", "fine_tune.learning_rate", "run/settings"),
        ("tags", "settings.digest", "run/settings"),
        ("tags", "base.digest", "run/tags"),
        ("tags", "dvc.data.md5", "run/tags"),
    ],
)
def test_a_changed_field_of_the_flows_run_is_named(site, version, steps, table, key, link):
    where = f"run_uuid = '{steps['record']['run']['mlflow_run']}' and key = '{key}'"
    with updated(site, table, "value", "0.5", where):
        assert broken(site, version) == [link]


@contextmanager
def registered_as(site, version, name):
    """Have a version once more, with all that it has, in a model of another name."""
    client = connect(site)
    before = client.get_model_version(version.name, str(version.version))
    client.create_registered_model(name)
    try:
        client.create_model_version(name, before.source, before.run_id, tags=dict(before.tags))
        yield version_evidence(site, f"{name}/1")
    finally:
        client.delete_registered_model(name)


def test_a_genuine_version_under_the_name_of_another_model_is_named(site, version):
    with registered_as(site, version, "other") as copy:
        (found,) = audit_model(site, copy.reference).versions
        verdict = verdict_of(site, copy.reference)
    (link,) = found.failed
    assert (link.name, link.expected, link.found) == ("registry/name", "tiny", "other")
    assert link.why == "the lineage was written for another model"
    assert not verdict.ok


def test_a_signature_vouches_for_its_own_version(site, version, signed):
    assert signature_of(site, version.reference)
    assert audit_model(site, version.reference).ok


def test_a_signature_does_not_vouch_for_another_file_beside_it(site, version, papers, signed):
    with flipped(papers / "network.packed"):
        assert not signature_of(site, version.reference)
        assert broken(site, version) == ["registry/file"]


def test_a_signature_does_not_vouch_for_another_model(site, version, signed):
    with registered_as(site, version, "other") as copy:
        assert not signature_of(site, copy.reference)


def test_without_a_signature_or_a_key_nothing_is_vouched_for(site, version, signed, monkeypatch):
    monkeypatch.delenv(PUBLIC_VARIABLE)
    assert not signature_of(site, version.reference)


def remote_file(site, md5):
    return site.open_workspace().dvc_remote / "files" / "md5" / md5[:2] / md5[2:]


@pytest.mark.parametrize("folder", ["data", "family"])
def test_a_changed_listing_in_the_dvc_remote_is_named(site, version, steps, folder):
    with flipped(remote_file(site, steps["record"]["dvc"][folder])):
        assert broken(site, version) == [f"dvc/{folder}"]


@pytest.mark.parametrize(
    ("folder", "inside", "link"),
    [
        ("data", "dataset.safetensors", "fetch/remote"),
        ("family", "base.safetensors", "base/remote"),
    ],
)
def test_one_bit_of_a_file_in_the_dvc_remote_is_named(site, version, steps, folder, inside, link):
    listing = json.loads(remote_file(site, steps["record"]["dvc"][folder]).read_text())
    (md5,) = (x["md5"] for x in listing if x["relpath"] == inside)
    with flipped(remote_file(site, md5)):
        assert broken(site, version) == [link]


def test_without_its_mlflow_run_the_lineage_file_is_enough(site, version, steps):
    run = steps["record"]["run"]
    ids = (run["mlflow_child"], run["mlflow_run"])
    with (
        updated(site, "runs", "lifecycle_stage", "deleted", f"run_uuid = '{ids[0]}'"),
        updated(site, "runs", "lifecycle_stage", "deleted", f"run_uuid = '{ids[1]}'"),
    ):
        (found,) = audit_model(site, version.reference).versions
    assert found.ok
    wanted = {"lineage/signature", "run/figures", "run/settings", "run/tags", "run/int8"}
    assert {link.name for link in found.unchecked} == wanted
    assert {link.name for link in found.missing} == wanted - {"lineage/signature"}


def test_a_packed_file_on_disk_is_found_by_its_digest_and_a_stranger_is_not(site, papers, tmp_path):
    copy = tmp_path / "device.packed"
    copy.write_bytes((papers / "network.packed").read_bytes())
    assert audit_file(site, copy).ok
    copy.write_bytes(b"something else")
    (link,) = audit_file(site, copy).links
    assert (link.name, link.ok) == ("registry/file", False)


def test_a_restored_version_is_a_complete_cache_hit(site, version, tmp_path):
    restored = restore_version(site, version.reference, tmp_path / "back")
    again = run_command(Workspace(tmp_path / "back" / ".mixmatch").root, tmp_path / "back/run.yaml")
    assert restored.num_records > 5
    assert again.summary["cache"]["misses"] == 0
    digests = {row["digest"] for row in again.summary["results"]}
    assert version.tags["digest"] in digests
