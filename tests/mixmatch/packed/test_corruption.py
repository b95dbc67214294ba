"""Every byte counts: damage is refused, and a lie under a sound digest never surprises."""

import hashlib

import pytest
import torch

from mixmatch.errors import PackedFormatError
from mixmatch.packed import read_header, read_packed, save_packed, save_packed_state

FLIPS = (0x01, 0x80, 0xFF)
DIGEST_PLACE = slice(76, 140)


@pytest.fixture
def path(small_model, tmp_path, spec_of):
    save_packed(tmp_path / "net", small_model, spec_of())
    return tmp_path / "net"


def flipped(content, place, flip):
    return content[:place] + bytes([content[place] ^ flip]) + content[place + 1 :]


def resealed(content):
    """Return ``content`` with the digest that it should have."""
    blank = content[: DIGEST_PLACE.start] + b"0" * 64 + content[DIGEST_PLACE.stop :]
    digest = hashlib.sha256(blank).hexdigest().encode()
    return content[: DIGEST_PLACE.start] + digest + content[DIGEST_PLACE.stop :]


def test_the_digest_is_where_this_test_expects_it(path):
    content = path.read_bytes()
    assert content[DIGEST_PLACE].decode() == read_header(path).digest
    assert resealed(content) == content


@pytest.mark.parametrize("flip", FLIPS)
def test_every_changed_byte_is_refused(flip, path):
    content = path.read_bytes()
    for place in range(len(content)):
        path.write_bytes(flipped(content, place, flip))
        with pytest.raises(PackedFormatError):
            read_packed(path)


def test_a_file_cut_short_anywhere_is_refused(path):
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(PackedFormatError, match=r"net is damaged, or no packed network: "):
            read_header(path)


def test_a_longer_file_is_refused(path):
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(PackedFormatError, match=r"end with the file, bytes too many: 1\."):
        read_header(path)


def test_a_version_that_was_turned_back_is_refused(path):
    path.write_bytes(path.read_bytes().replace(b'"version":"2"', b'"version":"1"'))
    with pytest.raises(PackedFormatError, match=r"its metadata must be \['format', 'layout'"):
        read_packed(path)


@pytest.mark.parametrize("values", ["float32", "int8"])
def test_a_changed_byte_under_a_sound_digest_is_refused_or_read(values, tmp_path, spec_of):
    weight = torch.zeros(2_000)
    weight[::41] = torch.linspace(-1, 1, 49)
    dense = torch.linspace(-1, 1, 60)
    state = {"w": weight, "d": dense, "b": torch.ones(3, dtype=torch.bool), "n": torch.tensor(7)}
    path = tmp_path / "net"
    save_packed_state(path, state, spec_of(), {"w", "d"}, values=values)
    content, num_read = path.read_bytes(), 0
    for place in range(len(content)):
        path.write_bytes(resealed(flipped(content, place, FLIPS[place % 3])))
        try:
            found = read_packed(path).state
        except PackedFormatError:
            continue
        num_read += 1
        assert list(found) == list(state)
        assert sum(tensor.numel() for tensor in found.values()) < 10_000
    assert num_read > 100  # values may be any: only a digest protects them


@pytest.mark.parametrize("content", [b"", b"no packed file", bytes(100), b"\xff" * 100])
def test_what_is_no_packed_file_is_refused(content, tmp_path):
    (tmp_path / "net").write_bytes(content)
    with pytest.raises(PackedFormatError, match=r"net is damaged, or no packed network: "):
        read_packed(tmp_path / "net")


@pytest.mark.parametrize("name", ["nowhere", "."])
def test_what_is_no_file_is_named(name, tmp_path):
    with pytest.raises(PackedFormatError, match=r"must be an existing file, got "):
        read_packed(tmp_path / name)
