"""The client as it speaks to Amazon's own service: moto answers in this process, at its address."""

from hashlib import sha256
from uuid import uuid4

import pytest
from moto import mock_aws

from mixmatch.errors import StorageError
from tasks.objects import Bucket, bucket
from tasks.objects.client import is_amazons, open_client

PART = 5 << 20  # the smallest that S3 takes


@pytest.fixture
def amazon(monkeypatch):
    """A bucket at Amazon's address; nothing that the environment says leads elsewhere."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(
        "AWS_ACCESS_KEY_ID", uuid4().hex
    )  # so that this client is made for this test
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        where = {"LocationConstraint": "eu-central-1"}
        open_client().create_bucket(Bucket="shelf", CreateBucketConfiguration=where)
        yield Bucket("shelf", patience_s=1.0, part_bytes=PART)


def test_the_client_asks_all_that_amazon_understands(amazon):
    client = open_client()
    assert is_amazons(client)
    assert client.meta.endpoint_url == "https://s3.eu-central-1.amazonaws.com"
    assert client.meta.config.request_checksum_calculation == "when_supported"
    assert client.meta.config.response_checksum_validation == "when_supported"
    assert "addressing_style" not in client.meta.config.s3


def test_what_is_created_once_needs_no_pause_there(amazon, monkeypatch):
    monkeypatch.setattr(bucket, "time", None)  # any pause would be an error
    assert amazon.create("ledger/1", b"first")
    assert not amazon.create("ledger/1", b"second")
    assert amazon.read("ledger/1") == b"first"


@pytest.mark.parametrize("size", [10, 2 * PART + 1])
def test_a_file_arrives_whole_in_one_part_or_many(amazon, tmp_path, size):
    content = bytes(x % 251 for x in range(size))
    digest = sha256(content).hexdigest()
    (tmp_path / "file").write_bytes(content)
    assert amazon.create_from(tmp_path / "file", "object", digest)
    assert not amazon.create_from(tmp_path / "file", "object", digest)
    facts = amazon.facts("object")
    assert (facts.size_bytes, facts.sha256) == (size, digest)
    assert amazon.download("object", tmp_path / "copy") == digest
    assert (tmp_path / "copy").read_bytes() == content


def test_what_is_not_there_is_nothing_and_no_error(amazon, tmp_path):
    assert amazon.facts("absent") is None
    assert amazon.read("absent") is None
    assert amazon.download("absent", tmp_path / "file") is None
    amazon.delete("absent")


def test_lists_what_begins_so(amazon):
    for key in ("a/1", "a/2", "b/1"):
        amazon.write(key, b"x")
    assert [x.key for x in amazon.below("a/")] == ["a/1", "a/2"]


def test_a_bucket_that_is_missing_is_named(amazon):
    with pytest.raises(StorageError, match="nowhere"):
        Bucket("nowhere", patience_s=1.0).write("key", b"x")
