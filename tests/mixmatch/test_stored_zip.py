import struct
import zipfile

import pytest
import torch

from mixmatch.errors import CheckpointError
from mixmatch.stored_zip import check_stored


def check(path):
    with zipfile.ZipFile(path) as archive:
        check_stored(archive, path, source="net.pt")


@pytest.fixture
def stored(tmp_path):
    """Write an archive with the given parts, by name, and return where it is."""

    def write(compression=zipfile.ZIP_STORED, **parts):
        with zipfile.ZipFile(tmp_path / "net.pt", "w", compression) as archive:
            for name, content in parts.items():
                archive.writestr(name, content)
        return tmp_path / "net.pt"

    return write


def test_what_torch_writes_is_taken(tmp_path):
    torch.save({"weight": torch.ones(1000)}, tmp_path / "net.pt")
    check(tmp_path / "net.pt")


def test_an_archive_without_parts_is_taken(stored):
    check(stored())


@pytest.mark.parametrize("kind", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_compressed_part_is_refused(stored, kind):
    with pytest.raises(CheckpointError, match=r"^net\.pt must hold .* but a is compressed or encr"):
        check(stored(kind, a=b"0" * 1000))


def test_a_part_that_claims_more_than_it_has_is_refused(stored):
    path = stored(a=b"0" * 1000)
    content = bytearray(path.read_bytes())
    # In the directory's entry the two sizes stand at 20 and 24.
    struct.pack_into("<I", content, content.index(b"PK\x01\x02") + 24, 10**9)
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"but a is compressed or encrypted\.$"):
        check(path)


def test_parts_that_overlap_are_refused(stored):
    path = stored(a=b"0" * 1000)
    content = path.read_bytes()
    begin, end = content.index(b"PK\x01\x02"), content.index(b"PK\x05\x06")
    # The directory names the one part a hundred times.
    tail = bytearray(content[end:])
    struct.pack_into("<HHI", tail, 8, 100, 100, 100 * (end - begin))
    path.write_bytes(content[:begin] + 100 * content[begin:end] + tail)
    with pytest.raises(
        CheckpointError, match=r"do not overlap, but they claim 100000 bytes of a f"
    ):
        check(path)


def test_bytes_before_the_archive_are_refused(stored):
    path = stored(a=b"0")
    path.write_bytes(b"PK\x03\x04" + path.read_bytes())
    with pytest.raises(CheckpointError, match="must be an archive from its first byte to its last"):
        check(path)


def test_bytes_after_the_archive_are_refused(stored):
    path = stored(a=b"0")
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"more"
    with pytest.raises(CheckpointError, match="must be an archive from its first byte to its last"):
        check(path)
