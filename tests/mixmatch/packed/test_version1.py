"""Files of version 1 are read for ever: one was committed when version 1 was still written."""

import hashlib
import json
from pathlib import Path

import pytest

from mixmatch.errors import PackedFormatError
from mixmatch.packed import load_packed, read_header, read_packed, save_packed

GOLDEN = Path(__file__).with_name("version1.safetensors")
# Of names, dtypes, shapes and bytes of its tensors, as the reader of version 1 gave them.
TENSORS_DIGEST = "2d5848567e340b747491ede969a3c3e362002def4283aa51d3f672df0d307731"
CONTENT_DIGEST = "daecb0da0cef31f52c7bd50295e2ab14d3707a92921dd9818251921003ee2dd5"


def tensors_digest(state):
    digest = hashlib.sha256()
    for name, tensor in state.items():
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


@pytest.fixture
def path(tmp_path):
    (tmp_path / "net").write_bytes(GOLDEN.read_bytes())
    return tmp_path / "net"


def rewrite(path, change):
    """Apply ``change`` to the JSON header of a file of version 1, and seal it again."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])


def claim(path, tensor_name, **changes):
    """Change what the layout says of one tensor."""

    def change(header):
        layout = json.loads(header["__metadata__"]["layout"])
        (tensor,) = (x for x in layout if x["name"] == tensor_name)
        tensor |= changes
        header["__metadata__"]["layout"] = json.dumps(layout)

    rewrite(path, change)


def test_the_golden_file_gives_the_tensors_that_were_stored():
    packed = read_packed(GOLDEN)
    assert tensors_digest(packed.state) == TENSORS_DIGEST
    assert packed.state["bn1.num_batches_tracked"].item() == 1234567890123
    assert str(packed.state["fc.bias"][0].item()) == "-0.0"


def test_the_golden_file_gives_its_network():
    loaded = load_packed(GOLDEN)
    assert tensors_digest(loaded.state_dict()) == TENSORS_DIGEST
    assert not loaded.training


def test_the_header_is_told_in_the_terms_of_version_2():
    header = read_header(GOLDEN, verify=True)
    assert (header.version, header.values, header.digest) == ("1", "float32", CONTENT_DIGEST)
    assert header.spec.classes == ("Überholverbot", "30", "stop")
    tensors = {tensor.name: tensor for tensor in header.tensors}
    first = tensors["conv1.0.weight"]
    assert (first.positions, first.values, first.num_nonzero) == ("mask", "float32", 15)
    assert [(x.name, x.stored_bytes) for x in first.parts] == [
        ("mask", 9),
        ("exponents", 15),
        ("mantissas", 45),
    ]
    kinds = {(x.positions, x.values, x.num_nonzero is None) for x in header.tensors}
    assert kinds == {
        ("mask", "float32", False),
        ("all", "float32", False),
        ("all", "float32", True),
        ("all", "raw", True),
    }


def test_what_was_read_is_written_as_version_2(tmp_path):
    save_packed(tmp_path / "net", load_packed(GOLDEN), read_header(GOLDEN).spec)
    assert read_header(tmp_path / "net").version == "2"
    assert tensors_digest(read_packed(tmp_path / "net").state) == TENSORS_DIGEST
    assert (tmp_path / "net").stat().st_size < 0.7 * GOLDEN.stat().st_size


@pytest.mark.parametrize("place", [-1, -40_000])
def test_a_changed_chunk_is_found_by_the_digest(place, path):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(
        PackedFormatError, match=r"net is damaged: its content must have the digest"
    ):
        read_packed(path)


def test_an_edited_header_is_found_by_the_digest(path):
    rewrite(path, lambda header: header["__metadata__"].update(spec=edited(header)))
    read_header(path)
    with pytest.raises(
        PackedFormatError, match=r"net is damaged: its content must have the digest"
    ):
        read_packed(path)


def edited(header):
    return header["__metadata__"]["spec"].replace("stop", "halt")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_nonzero": 73}, r"num_nonzero of tensor 'conv1\.0\.weight' must lie in \[0, 72\], "),
        ({"num_nonzero": None}, r"masked tensor 'conv1\.0\.weight' must state num_nonzero"),
        ({"num_nonzero": 14}, r"exponents of tensor .* must have 14 bytes, got 15"),
        ({"shape": [8, 1, 3, 30]}, r"mask of tensor 'conv1\.0\.weight' must have 90 bytes, got 9"),
        ({"shape": [-8, -9]}, r"shape of tensor 'conv1\.0\.weight' is impossible: \[-8, -9\]"),
        ({"shape": [2**31, 2**31]}, r"its tensors may have \d+ entries in a file of \d+ bytes"),
        ({"dtype": "float16"}, r"dtype of tensor .* must be one of float32, .*got 'float16'"),
        ({"dtype": "int8"}, r"must be float32 to be masked or dense, got int8"),
        ({"encoding": "gaps"}, r"encoding of tensor .* must be one of dense, masked, raw, got"),
        ({"encoding": "raw"}, r"chunks of tensor 'conv1\.0\.weight' must be data, and be in the f"),
        ({"name": "fc.weight"}, r"chunks of tensor 'fc\.weight' must be mask, expon"),
        ({"chunks": {}}, r"chunks of tensor 'conv1\.0\.weight' must be mask, exponents, mantissas"),
        ({"extra": 1}, r"its header is damaged at 0\.extra: Extra inputs are not permitted"),
    ],
)
def test_a_header_that_lies_is_refused(changes, message, path):
    claim(path, "conv1.0.weight", **changes)
    with pytest.raises(PackedFormatError, match=f"net cannot be read as a packed .*{message}"):
        read_header(path)


@pytest.mark.parametrize(
    ("codec", "message"),
    [
        ("split", r"codec of mask of tensor 'conv1\.0\.weight' must be one of none, zstd, got"),
        ("lzma", r"must be one of none, zstd, got 'lzma'"),
    ],
)
def test_a_codec_that_version_1_does_not_have_is_refused(codec, message, path):
    def change(header):
        layout = json.loads(header["__metadata__"]["layout"])
        layout[0]["chunks"]["mask"]["codec"] = codec
        header["__metadata__"]["layout"] = json.dumps(layout)

    rewrite(path, change)
    with pytest.raises(PackedFormatError, match=message):
        read_header(path)


def sealed(path):
    """Set the digest that the file should have, whatever it says."""
    with pytest.raises(PackedFormatError, match=r", got [0-9a-f]{64}\.$") as refusal:
        read_packed(path)
    digest = str(refusal.value)[-65:-1]
    rewrite(path, lambda header: header["__metadata__"].update(sha256=digest))


@pytest.mark.parametrize(
    ("part", "content", "message"),
    [
        ("mask", b"\xff" * 9, r"mask of tensor 'conv1\.0\.weight' must keep 15 entries, got 72"),
        ("mask", bytes(9), r"must keep 15 entries, got 0"),
        ("exponents", bytes(15), r"must have 15 values that are not zero, got \d+\."),
    ],
)
def test_a_lie_under_a_sound_digest_is_refused(part, content, message, path):
    whole = path.read_bytes()
    length = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + length])
    begin, end = (8 + length + x for x in header[f"conv1.0.weight/{part}"]["data_offsets"])
    path.write_bytes(whole[:begin] + content + whole[end:])
    if part == "exponents":
        begin, end = (8 + length + x for x in header["conv1.0.weight/mantissas"]["data_offsets"])
        whole = path.read_bytes()
        path.write_bytes(whole[:begin] + bytes(45) + whole[end:])
    sealed(path)
    with pytest.raises(PackedFormatError, match=message):
        read_packed(path)


def test_every_changed_byte_of_the_last_chunks_and_the_metadata_is_refused_or_harmless(path):
    content, state = path.read_bytes(), tensors_digest(read_packed(path).state)
    for place in [*range(0, 3_000, 7), *range(len(content) - 300, len(content))]:
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        try:
            found = read_packed(path)
        except PackedFormatError:
            continue
        assert tensors_digest(found.state) == state
