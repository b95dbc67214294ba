import json

import pytest

from mixmatch.errors import ArtifactError
from tasks.versioning.listing import listing_md5, read_listing

MD5 = "0123456789abcdef" * 2


def listing(**changes):
    return json.dumps([{"md5": MD5, "relpath": "a/b.bin"} | changes]).encode()


def test_it_names_the_hash_of_every_file():
    assert read_listing(listing()) == {"a/b.bin": MD5}


def test_it_lies_under_the_md5_of_its_bytes():
    # MD5 of b"abc", from RFC 1321.
    assert listing_md5(b"abc") == "900150983cd24fb0d6963f7d28e17f72.dir"


@pytest.mark.parametrize("relpath", ["../../x", "/etc/passwd", "a/../../x", "", 7])
def test_a_path_that_leads_outside_is_refused(relpath):
    with pytest.raises(ArtifactError, match=r"^The listing of a DVC folder must name only files i"):
        read_listing(listing(relpath=relpath))


@pytest.mark.parametrize("md5", ["../../x", f"{MD5}.dir", "", None])
def test_a_hash_that_leads_elsewhere_or_to_another_listing_is_refused(md5):
    with pytest.raises(ArtifactError, match=r"must name every file by 32 hexadecimal digits"):
        read_listing(listing(md5=md5))


@pytest.mark.parametrize(
    "content", [b"", b"[", b"7", b"[7]", b'[{"relpath": "a"}]', b"\xff", b"{}x"]
)
def test_what_is_no_listing_is_refused(content):
    with pytest.raises(ArtifactError, match=r"must name the path and the MD5 of every file in it"):
        read_listing(content)
