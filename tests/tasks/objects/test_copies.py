"""Copies of what a real server holds, in a workspace."""

import json
import shutil

import pytest

from mixmatch.errors import ArtifactError, StorageError, WorkspaceError
from mixmatch.s3_address import S3Address
from tasks.objects import local_copy
from tests.faulty_proxy import Fault, FaultyProxy
from tests.swift import BUCKET

pytestmark = pytest.mark.service

TREE = {"one/a.png": b"1a", "one/b.png": b"1b", "two/deep/c.png": b"2c", "empty.txt": b""}


@pytest.fixture
def place(s3_place):
    return S3Address.parse(s3_place)


@pytest.fixture
def send(swift, place):
    """Write objects below the address."""

    def write(contents):
        for name, content in contents.items():
            swift.client.put_object(Bucket=BUCKET, Key=f"{place.key}/{name}", Body=content)

    return write


def below(place, name):
    return S3Address(place.bucket, f"{place.key}/{name}")


def contents(folder):
    files = (x for x in folder.rglob("*") if x.is_file())
    return {x.relative_to(folder).as_posix(): x.read_bytes() for x in files}


def counted(swift, monkeypatch):
    """Count what is downloaded from now on."""
    proxy = FaultyProxy(swift.endpoint, Fault.REFUSE, every=10**9, methods=("GET",))
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
    return proxy


def test_a_prefix_becomes_a_folder(place, send, tmp_path):
    send({**TREE, "one/": b""})  # the last: how consoles mark a folder
    assert contents(local_copy(place, tmp_path)) == TREE


def test_an_object_becomes_a_file_of_its_name(place, send, tmp_path):
    send({"sets/archive.tar.gz": b"packed", "sets/archive.tar.gz.md5": b"other"})
    copy = local_copy(below(place, "sets/archive.tar.gz"), tmp_path)
    assert (copy.name, copy.read_bytes()) == ("archive.tar.gz", b"packed")


def test_where_nothing_is_there_is_no_copy(place, send, tmp_path):
    send({"sets/a": b""})
    assert local_copy(below(place, "set"), tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_what_is_here_is_not_fetched_again(place, send, tmp_path, swift, monkeypatch):
    send(TREE)
    first = local_copy(place, tmp_path)
    with counted(swift, monkeypatch) as proxy:
        assert local_copy(place, tmp_path) == first
    assert proxy.num_seen == 1  # the listing


def test_only_what_is_missing_or_damaged_is_fetched_again(
    place, send, tmp_path, swift, monkeypatch
):
    send(TREE)
    folder = local_copy(place, tmp_path)
    (folder / "one/a.png").write_bytes(b"1A")
    (folder / "one/b.png").unlink()
    with counted(swift, monkeypatch) as proxy:
        assert contents(local_copy(place, tmp_path)) == TREE
    assert proxy.num_seen == 1 + 2


def test_files_of_a_process_that_was_killed_are_kept(place, send, tmp_path, swift, monkeypatch):
    send(TREE)
    folder = local_copy(place, tmp_path)
    finished = folder.with_suffix(".jsonl")
    lines = [x for x in finished.read_text().splitlines() if x]
    finished.write_text("\n".join(lines[:2]) + '\n["one/b')  # torn in the third
    with counted(swift, monkeypatch) as proxy:
        assert contents(local_copy(place, tmp_path)) == TREE
    assert proxy.num_seen == 1 + 2
    assert dict(
        json.loads(x) for x in finished.read_text().splitlines() if x[-1:] == "]"
    ).keys() == (TREE.keys())


def test_another_version_is_another_copy(place, send, tmp_path):
    send(TREE)
    old = local_copy(place, tmp_path)
    send({"one/a.png": b"changed"})
    new = local_copy(place, tmp_path)
    assert contents(new) == {**TREE, "one/a.png": b"changed"}
    assert contents(old) == TREE


def test_a_connection_that_breaks_is_taken_up(place, send, tmp_path, swift, monkeypatch):
    content = bytes(range(256)) * 4096 * 3
    send({"large.bin": content})
    cut = FaultyProxy(swift.endpoint, Fault.CUT, every=1, methods=("GET",), most=2)
    monkeypatch.setenv("AWS_ENDPOINT_URL", cut.endpoint)
    with cut:
        copy = local_copy(below(place, "large.bin"), tmp_path)
    assert copy.read_bytes() == content
    assert cut.num_bytes <= len(content)  # nothing was sent twice


def test_spoilt_bytes_are_never_kept(place, send, tmp_path, swift, monkeypatch):
    send({"weights.pt": b"weights"})
    spoilt = FaultyProxy(swift.endpoint, Fault.SPOIL, every=1, methods=("GET",))
    monkeypatch.setenv("AWS_ENDPOINT_URL", spoilt.endpoint)
    with spoilt, pytest.raises(ArtifactError, match=r"weights\.pt must have the bytes"):
        local_copy(below(place, "weights.pt"), tmp_path)
    assert not list(tmp_path.rglob("*weights.pt*"))


@pytest.mark.parametrize("name", ["../out", "a/../../out", "a//b", "./a", "a\\b", "a\nb"])
def test_a_key_that_is_no_plain_path_is_refused(place, send, tmp_path, name):
    send({name: b"x"})
    with pytest.raises(StorageError, match=r"^Every key below s3://.* must be a path of plain"):
        local_copy(place, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_key_that_is_file_and_folder_is_refused(place, send, tmp_path):
    send({"a": b"x", "a/b": b"x"})
    with pytest.raises(StorageError, match=r"must be a file and a folder, got 'a'"):
        local_copy(place, tmp_path)


def test_what_does_not_fit_the_disk_is_refused_before_it_is_fetched(
    place, send, tmp_path, monkeypatch
):
    send(TREE)
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(9, 4, 5))
    with pytest.raises(WorkspaceError, match=r"must have room for 6 bytes .* it has 5"):
        local_copy(place, tmp_path)
