import pytest

from mixmatch.s3_address import S3Address, checked_place, is_s3


@pytest.mark.parametrize(
    ("text", "bucket", "key", "written"),
    [
        ("s3://bucket", "bucket", "", "s3://bucket"),
        ("s3://bucket/", "bucket", "", "s3://bucket"),
        ("s3://my.bucket-1/a b/c.pt", "my.bucket-1", "a b/c.pt", "s3://my.bucket-1/a b/c.pt"),
        ("s3://bucket/prefix/", "bucket", "prefix", "s3://bucket/prefix"),
    ],
)
def test_an_address_is_read_and_written(text, bucket, key, written):
    address = S3Address.parse(text)
    assert (address.bucket, address.key, str(address)) == (bucket, key, written)


@pytest.mark.parametrize(
    "text", ["s3:/bucket/a", "s3://", "s3:///a", "s3://b/../a", "s3://bucket//a", "s3://bucket/a\n"]
)
def test_another_address_is_refused(text):
    with pytest.raises(ValueError, match=r"^must be s3://BUCKET/KEY with a key of printable parts"):
        S3Address.parse(text)


@pytest.mark.parametrize("text", ["s3://key:secret@bucket/a", "s3://bucket/a?X-Amz-Sig=secret"])
def test_credentials_are_refused_and_not_shown(text):
    with pytest.raises(ValueError, match="without credentials") as refusal:
        S3Address.parse(text)
    assert "secret" not in str(refusal.value)


def test_a_place_is_local_or_in_a_bucket():
    assert checked_place("some/folder", "a folder") == "some/folder"
    assert checked_place("s3://bucket/a/", "a folder") == "s3://bucket/a"
    assert [is_s3(x) for x in ("s3://bucket", "s3:/bucket", "folder")] == [True, True, False]
    with pytest.raises(ValueError, match=r"^must be a folder, or s3://BUCKET/KEY, got 'gs://b'"):
        checked_place("gs://b", "a folder")
