import json

import pytest

from mixmatch.errors import ArtifactError
from mixmatch.records import Artifact, SensitivityRecord
from tasks.store import FolderStore

# SHA-256 of b"abc", from FIPS 180-4.
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path / "store")


def put(store, content):
    with store.scratch() as folder:
        (folder / "file").write_bytes(content)
        return store.put(folder / "file")


def record_of(artifact):
    return SensitivityRecord(artifact=artifact, num_images=3, seconds=0.5)


def test_a_file_lies_under_the_digest_of_its_bytes(store):
    artifact = put(store, b"abc")
    assert artifact == Artifact(digest=ABC, size_bytes=3)
    assert store.path(artifact).read_bytes() == b"abc"


def test_putting_the_same_bytes_twice_is_harmless(store):
    assert put(store, b"abc") == put(store, b"abc")


def test_a_missing_artifact_is_refused_by_its_digest(store):
    with pytest.raises(ArtifactError, match=rf"must hold {ABC} with 3 bytes, found nothing"):
        store.path(Artifact(digest=ABC, size_bytes=3))


def test_a_truncated_artifact_is_refused(store):
    artifact = put(store, b"abc")
    store.path(artifact).write_bytes(b"ab")
    with pytest.raises(ArtifactError, match="with 3 bytes, found 2 bytes"):
        store.path(artifact)


def test_a_file_is_found_by_its_digest_if_it_still_has_it(store):
    place = store.path(put(store, b"abc"))
    assert store.find_file(ABC) == place
    place.write_bytes(b"abd")
    assert store.find_file(ABC) is None
    assert store.find_file("0" * 64) is None


def test_a_finished_step_is_found_by_its_key(store):
    record = record_of(put(store, b"abc"))
    store.commit("sensitivity", "k1", {"a": 1}, record)
    assert store.find("sensitivity", "k1", SensitivityRecord) == record
    assert store.find("sensitivity", "k2", SensitivityRecord) is None


def test_a_step_whose_artifact_changed_counts_as_absent(store):
    artifact = put(store, b"abc")
    store.commit("sensitivity", "k1", {}, record_of(artifact))
    store.path(artifact).write_bytes(b"abd")
    assert store.find("sensitivity", "k1", SensitivityRecord) is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema": 1}', '{"schema": 1, "record": {}}'])
def test_a_torn_record_counts_as_absent(store, content):
    store.commit("sensitivity", "k1", {}, record_of(put(store, b"abc")))
    (store.root / "records/sensitivity/k1.json").write_text(content)
    assert store.find("sensitivity", "k1", SensitivityRecord) is None


def test_a_record_of_another_schema_counts_as_absent(store):
    store.commit("sensitivity", "k1", {}, record_of(put(store, b"abc")))
    place = store.root / "records/sensitivity/k1.json"
    envelope = json.loads(place.read_text()) | {"schema": 999}
    place.write_text(json.dumps(envelope))
    assert store.find("sensitivity", "k1", SensitivityRecord) is None


def test_the_inputs_of_a_step_stand_beside_its_record(store):
    store.commit("sensitivity", "k1", {"batch": 32}, record_of(put(store, b"abc")))
    envelope = json.loads((store.root / "records/sensitivity/k1.json").read_text())
    assert envelope["inputs"] == {"batch": 32}


def test_a_finished_step_is_returned_as_it_was_written(store):
    record = record_of(put(store, b"abc"))
    store.commit("sensitivity", "k1", {"batch": 32}, record)
    envelope = store.envelope("sensitivity", "k1")
    assert (envelope.inputs, envelope.record) == ({"batch": 32}, record.model_dump(mode="json"))
    assert store.envelope("sensitivity", "k2") is None


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", "5", '{"schema": 1, "inputs": {}}'),
        *('{"schema": 1, "inputs": [], "record": {}}', '{"schema": 9, "inputs": {}, "record": {}}'),
    ],
)
def test_a_torn_or_foreign_envelope_counts_as_absent(store, content):
    store.commit("sensitivity", "k1", {}, record_of(put(store, b"abc")))
    (store.root / "records/sensitivity/k1.json").write_text(content)
    assert store.envelope("sensitivity", "k1") is None


def test_scratch_leaves_nothing_behind(store):
    with store.scratch() as folder:
        (folder / "half").write_bytes(b"x")
    assert list((store.root / "scratch").iterdir()) == []
