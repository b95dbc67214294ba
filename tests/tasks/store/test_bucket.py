"""A store in a bucket of a real server, with faults between the two."""

import shutil
import threading
from dataclasses import replace

import pytest

from mixmatch.errors import ArtifactError, ServiceError, StorageError
from mixmatch.records import Artifact, SensitivityRecord
from tasks.store import open_store
from tasks.store.bucket import check
from tests.faulty_proxy import Fault, FaultyProxy
from tests.swift import BUCKET

pytestmark = pytest.mark.service

# SHA-256 of b"abc", from FIPS 180-4.
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
PART_BYTES = 5 << 20  # the smallest that S3 takes


@pytest.fixture
def store(s3_place, tmp_path):
    return open_store(s3_place, tmp_path / "cache")


def put(store, content):
    with store.scratch() as folder:
        (folder / "file").write_bytes(content)
        return store.put(folder / "file")


def forget(store):
    """Remove what was read here, as on a machine that never saw it."""
    shutil.rmtree(store.cache.root)


def key_of(store, artifact):
    return f"{store.prefix}/objects/{artifact.digest[:2]}/{artifact.digest}"


def damage(swift, store, artifact, content):
    """Replace an object by other bytes that state the same digest, as a failing disk would."""
    metadata = {"sha256": artifact.digest}
    key = key_of(store, artifact)
    swift.client.put_object(Bucket=BUCKET, Key=key, Body=content, Metadata=metadata)


def is_there(swift, store, artifact):
    found = swift.client.list_objects_v2(Bucket=BUCKET, Prefix=key_of(store, artifact))
    return found["KeyCount"] == 1


def behind(proxy, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
    return proxy


def test_the_address_is_that_of_bucket_and_prefix(store, s3_place):
    assert store.address == s3_place


def test_another_machine_reads_what_was_put(store, swift):
    artifact = put(store, b"abc")
    assert is_there(swift, store, artifact)
    forget(store)
    assert store.path(artifact).read_bytes() == b"abc"


def test_what_was_read_once_is_read_here_again(store, swift):
    artifact = put(store, b"abc")
    swift.client.delete_object(Bucket=BUCKET, Key=key_of(store, artifact))
    assert store.path(artifact).read_bytes() == b"abc"


def test_a_damaged_local_copy_is_replaced(store):
    artifact = put(store, b"abc")
    store.path(artifact).write_bytes(b"abd")
    assert store.path(artifact).read_bytes() == b"abc"


def test_a_record_is_looked_up_without_its_files(store):
    record = SensitivityRecord(artifact=put(store, b"abc"), num_images=3, seconds=0.5)
    store.commit("sensitivity", "k1", {}, record)
    forget(store)
    assert store.find("sensitivity", "k1", SensitivityRecord) == record
    assert not list(store.cache.root.rglob("objects/*/*"))


def test_a_truncated_object_counts_as_absent_and_is_replaced(store, swift):
    record = SensitivityRecord(artifact=put(store, b"abc"), num_images=3, seconds=0.5)
    store.commit("sensitivity", "k1", {}, record)
    damage(swift, store, record.artifact, b"ab")
    assert store.find("sensitivity", "k1", SensitivityRecord) is None
    assert put(store, b"abc") == record.artifact
    assert store.is_intact(record.artifact)
    assert store.find("sensitivity", "k1", SensitivityRecord) == record


def test_a_damaged_object_is_refused_by_its_key_and_then_computed_anew(store, swift):
    record = SensitivityRecord(artifact=put(store, b"abc"), num_images=3, seconds=0.5)
    store.commit("sensitivity", "k1", {}, record)
    damage(swift, store, record.artifact, b"abd")
    forget(store)
    assert not store.is_intact(record.artifact)
    with pytest.raises(ArtifactError, match=rf"objects/ba/{ABC} .* removed; run again to compute"):
        store.path(record.artifact)
    assert not is_there(swift, store, record.artifact)
    assert store.find("sensitivity", "k1", SensitivityRecord) is None
    put(store, b"abc")
    assert store.find("sensitivity", "k1", SensitivityRecord) == record


def test_a_foreign_object_under_a_digest_is_refused(store, swift):
    artifact = Artifact(digest=ABC, size_bytes=3)
    swift.client.put_object(Bucket=BUCKET, Key=key_of(store, artifact), Body=b"xyz")
    assert not store.is_intact(artifact)
    assert store.find_file(ABC) is None
    assert not is_there(swift, store, artifact)


def test_a_large_file_goes_in_parts_and_comes_back(store, swift):
    store = replace(store, bucket=replace(store.bucket, part_bytes=PART_BYTES))
    content = bytes(range(256)) * (2 * PART_BYTES // 256) + b"the end"
    artifact = put(store, content)
    found = swift.client.head_object(Bucket=BUCKET, Key=key_of(store, artifact))
    assert found["ETag"].endswith('-3"')
    assert found["Metadata"] == {"sha256": artifact.digest}
    forget(store)
    assert store.path(artifact).read_bytes() == content
    assert put(store, content) == artifact
    assert not swift.client.list_multipart_uploads(Bucket=BUCKET).get("Uploads")


def test_a_server_that_refuses_every_tenth_request_is_survived(swift, store, monkeypatch):
    store = replace(store, bucket=replace(store.bucket, part_bytes=PART_BYTES))
    with behind(FaultyProxy(swift.endpoint, Fault.REFUSE, every=10), monkeypatch) as proxy:
        artifacts = [put(store, b"%d" % number) for number in range(8)]
        artifacts.append(put(store, bytes(2 * PART_BYTES)))
        forget(store)
        assert [store.path(x).stat().st_size for x in artifacts] == [1] * 8 + [2 * PART_BYTES]
    assert proxy.num_failed >= 4


def test_a_lost_answer_to_a_create_does_not_turn_its_winner_into_a_loser(swift, store, monkeypatch):
    lost = FaultyProxy(swift.endpoint, Fault.LOSE, every=2, methods=("PUT",))
    with behind(lost, monkeypatch):
        assert store.create("ledger/0", b"answered") is True
        assert store.create("ledger/1", b"lost") is True
        assert store.create("ledger/1", b"lost") is False
    assert lost.num_failed >= 1


@pytest.mark.parametrize("fault", [Fault.CUT, Fault.SPOIL])
def test_a_spoilt_download_is_repeated(swift, store, monkeypatch, fault):
    content = bytes(range(256)) * 4096 * 3
    artifact = put(store, content)
    forget(store)
    with behind(FaultyProxy(swift.endpoint, fault, every=2, methods=("GET",)), monkeypatch) as bad:
        assert store.bucket.read(f"{store.prefix}/nothing") is None
        assert store.path(artifact).read_bytes() == content
    assert bad.num_failed == 1
    assert is_there(swift, store, artifact)


def test_a_server_that_is_down_for_some_seconds_is_survived(swift, store):
    first = put(store, b"before")
    swift.stop()
    back = threading.Timer(2.0, swift.start)
    back.start()
    try:
        second = put(store, b"while it was down")
    finally:
        back.join()
    forget(store)
    assert [store.path(x).read_bytes() for x in (first, second)] == [
        b"before",
        b"while it was down",
    ]


def test_a_server_that_stays_away_is_named_after_the_time_it_was_given(store, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    store = replace(store, bucket=replace(store.bucket, patience_s=0.5))
    with pytest.raises(ServiceError, match=r"must answer GetObject of s3://.*/a, .* for 0\.5 s"):
        store.read("a")


def test_a_wrong_secret_is_refused_and_never_shown(store, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "quite wrong")
    with pytest.raises(StorageError, match=r"^The object store refuses GetObject") as refusal:
        store.read("a")
    assert "quite wrong" not in str(refusal.value)
    assert "test:tester" not in str(refusal.value)


def test_a_bucket_that_does_not_exist_is_refused(store):
    with pytest.raises(StorageError, match=r"PutObject of s3://nobody-has-it/.* \(NoSuchBucket"):
        check(replace(store.bucket, name="nobody-has-it"), "prefix")


def test_a_look_at_a_bucket_writes_once(store, swift):
    for _ in range(2):
        check(store.bucket, store.prefix)
    assert store.names("") == ("store.json",)


def test_a_server_that_overwrites_what_is_there_is_refused(store, monkeypatch):
    monkeypatch.setattr("tasks.objects.bucket._ONLY_NEW", {})
    with pytest.raises(StorageError, match=r"^Its server must honour If-None-Match"):
        check(store.bucket, store.prefix)


def test_a_record_that_is_damaged_counts_as_absent_and_a_ledger_entry_as_damaged(store, swift):
    scores = put(store, b"abc")
    record = SensitivityRecord(artifact=scores, num_images=3, seconds=0.5)
    store.commit("sensitivity", "k1", {}, record)
    (name,) = store.names("records/")
    key = f"{store.prefix}/{name}"
    found = swift.client.get_object(Bucket=BUCKET, Key=key)
    content = found["Body"].read().replace(b"0.5", b"0.7")
    stated = found["Metadata"]
    assert stated["sha256"]
    swift.client.put_object(Bucket=BUCKET, Key=key, Body=content, Metadata=stated)
    assert store.find("sensitivity", "k1", SensitivityRecord) is None
    with pytest.raises(ArtifactError, match=r"must have the bytes that were written, of SHA-256"):
        store.read(name)
