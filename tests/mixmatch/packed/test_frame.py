import hashlib
import io
import json

import pytest
from safetensors import safe_open

from mixmatch.errors import PackedFormatError
from mixmatch.packed.frame import Block, check_bytes, content_digest, read_frame, write_frame

BLOCKS = {"layout": [b"abc"], "tensor/fc.weight": [b"de", b"", b"f"], "rest/int64": [b""]}
METADATA = {"values": "float32", "spec": '{"classes":["Überholverbot"]}'}


@pytest.fixture
def path(tmp_path):
    write_frame(tmp_path / "net", METADATA, BLOCKS)
    return tmp_path / "net"


def read(content):
    return read_frame(io.BytesIO(content))


def framed(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def block(begin, end, **changes):
    return {"dtype": "U8", "shape": [end - begin], "data_offsets": [begin, end]} | changes


def test_is_a_safetensors_file(path):
    with safe_open(path, framework="np") as file:
        assert sorted(file.keys()) == sorted(BLOCKS)
        assert file.get_tensor("tensor/fc.weight").tobytes() == b"def"
        assert file.metadata() == METADATA | {
            "format": "mixmatch-packed",
            "version": "2",
            "sha256": file.metadata()["sha256"],
        }


def test_format_version_and_digest_come_first(path):
    content = path.read_bytes()
    before = b'{"__metadata__":{"format":"mixmatch-packed","version":"2","sha256":"'
    assert content[8 : 8 + len(before)] == before


def test_the_data_begin_at_a_multiple_of_eight(path):
    assert int.from_bytes(path.read_bytes()[:8], "little") % 8 == 0


def test_equal_content_gives_equal_bytes(path, tmp_path):
    write_frame(tmp_path / "again", METADATA, BLOCKS)
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_what_was_written_is_read(path):
    content = path.read_bytes()
    begin = len(content) - 6
    frame = read(content)
    assert frame.size_bytes == len(content)
    assert {x: frame.metadata[x] for x in METADATA} == METADATA
    assert dict(frame.blocks) == {
        "layout": Block(begin, 3, "U8"),
        "tensor/fc.weight": Block(begin + 3, 3, "U8"),
        "rest/int64": Block(begin + 6, 0, "U8"),
    }


def test_the_digest_is_that_of_the_file_with_zeros_in_its_place(path):
    content, stated = path.read_bytes(), read(path.read_bytes()).metadata["sha256"]
    blank = content.replace(stated.encode(), b"0" * 64)
    assert len(blank) == len(content)
    assert hashlib.sha256(blank).hexdigest() == stated == content_digest(io.BytesIO(content))


def test_a_digest_at_another_place_is_refused(path):
    content = path.read_bytes().replace(b'"version":"2",', b'"version": "2",')
    with pytest.raises(PackedFormatError, match=r'its header must begin with \{"__metadata__":'):
        content_digest(io.BytesIO(content))


@pytest.mark.parametrize("content", [b"", b"hello", bytes(100), b"\xff" * 100])
def test_a_header_longer_than_its_file_is_refused(content):
    with pytest.raises(PackedFormatError, match=r"its header cannot have \d+ bytes in a file of"):
        read(content)


def test_a_length_of_exabytes_allocates_nothing(path):
    content = (2**63).to_bytes(8, "little") + path.read_bytes()[8:]
    with pytest.raises(PackedFormatError, match=r"cannot have 9223372036854775808 bytes"):
        read(content)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (b"{", r"its header is no JSON text"),
        (b"\xff\xff", r"its header is no JSON text"),
        (b"[" * 100_000, r"its header is no JSON text"),
        (b"1" * 5_000, r"its header is no JSON text"),
        (b'{"a":1,"a":1}', r"its header is no JSON text"),
        ([], r"its header must be a JSON object"),
        ({"__metadata__": []}, r"its metadata must be texts"),
        ({"__metadata__": {"format": 2}}, r"its metadata must be texts"),
        ({"a": 3}, r"its block 'a' must have a dtype, and a shape"),
        ({"a": block(0, 3, dtype=3)}, r"its block 'a' must have a dtype"),
        ({"a": block(0, 3, shape=[4])}, r"its block 'a' must have a dtype"),
        ({"a": block(0, 3, shape=3)}, r"its block 'a' must have a dtype"),
        ({"a": block(0, 3, data_offsets=[0, True])}, r"its block 'a' must have a dtype"),
        ({"a": block(0, 3, data_offsets=[0, 3.0])}, r"its block 'a' must have a dtype"),
        ({"a": block(0, 3) | {"more": 1}}, r"its block 'a' must have a dtype"),
        ({"a": block(0, 2), "b": block(1, 3)}, r"its block 'b' must begin at 2, got 1"),
        ({"a": block(0, 1), "b": block(2, 3)}, r"its block 'b' must begin at 1, got 2"),
        ({"a": block(-1, 3)}, r"its block 'a' must begin at 0, got -1"),
        ({"a": block(0, 4)}, r"its blocks must end with the file, bytes missing: 1"),
        ({"a": block(0, 2**62)}, r"with the file, bytes missing: 4611686018427387901"),
        ({}, r"its blocks must end with the file, bytes too many: 3"),
    ],
)
def test_refuses_headers_that_lie(header, message):
    with pytest.raises(PackedFormatError, match=message):
        read(framed(header, b"abc"))


def test_blocks_of_another_dtype_are_refused():
    sound, other = block(0, 3), block(0, 3, dtype="I8")
    check_bytes(read(framed({"a": sound}, b"abc")))
    with pytest.raises(PackedFormatError, match=r"its block 'a' must be bytes \(U8\), got I8"):
        check_bytes(read(framed({"a": other}, b"abc")))


def test_a_block_that_ends_before_it_begins_is_refused():
    header = {"a": {"dtype": "U8", "shape": [-3], "data_offsets": [0, -3]}}
    with pytest.raises(PackedFormatError, match=r"its block 'a' must begin at 0, got 0"):
        read(framed(header))


def test_a_file_that_was_cut_or_made_longer_is_refused(path):
    content = path.read_bytes()
    for changed in (content[:-1], content + b"x", content[: len(content) // 2]):
        with pytest.raises(PackedFormatError):
            read(changed)
