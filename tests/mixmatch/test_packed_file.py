import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from mixmatch.errors import PackedFormatError
from mixmatch.packed_codec import encode
from mixmatch.packed_file import read_frame, read_header, write_frame
from mixmatch.records import ModelSpec

SPEC = ModelSpec(
    architecture="test_resnet",
    arguments={"layers": [1, 1, 1, 1]},
    num_classes=2,
    image_shape=(8, 8, 1),
    mean=(0.5,),
    std=(0.25,),
    classes=("Überholverbot", "30"),
)


def tensors_of():
    weight = torch.zeros(4, 8)
    weight[0] = torch.arange(1.0, 9.0)
    return {
        "fc.weight": encode("fc.weight", weight, prunable=True),
        "fc.bias": encode("fc.bias", torch.ones(4), prunable=False),
    }


@pytest.fixture
def path(tmp_path):
    write_frame(tmp_path / "net.packed", SPEC, tensors_of())
    return tmp_path / "net.packed"


def rewrite(path, change):
    """Apply ``change`` to the JSON header of a packed file, in place."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])


def test_is_a_safetensors_file(path):
    with safe_open(path, framework="np") as file:
        assert sorted(file.keys()) == [
            "fc.bias/data",
            "fc.weight/exponents",
            "fc.weight/mantissas",
            "fc.weight/mask",
        ]
        assert file.get_tensor("fc.weight/mask").tolist() == [255, 0, 0, 0]
        assert sorted(file.metadata()) == ["format", "layout", "sha256", "spec", "version"]
        assert json.loads(file.metadata()["spec"])["classes"] == ["Überholverbot", "30"]


def test_the_data_begin_at_a_multiple_of_eight(path):
    assert int.from_bytes(path.read_bytes()[:8], "little") % 8 == 0


def test_equal_content_gives_equal_bytes(path, tmp_path):
    write_frame(tmp_path / "again", SPEC, tensors_of())
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_the_bytes_of_version_1_stay_as_they_are(path):
    stated = json.loads(read_metadata(path)["spec"])
    assert sorted(stated) == [
        "architecture",
        "arguments",
        "classes",
        "image_shape",
        "mean",
        "num_classes",
        "std",
    ]
    assert (
        read_header(path).digest
        == "c3430635c640076de35700bc4b9cfcb9fe0be3210c8fd12293aed38753ca1327"
    )


def read_metadata(path):
    with safe_open(path, framework="np") as file:
        return file.metadata()


def test_the_code_digest_of_a_factory_is_kept(tmp_path):
    spec = SPEC.model_copy(update={"architecture": "nets:build", "code_digest": "c" * 64})
    write_frame(tmp_path / "own", spec, tensors_of())
    assert read_header(tmp_path / "own").spec == spec


def test_the_header_says_what_is_inside(path):
    header = read_header(path)
    assert header.spec == SPEC
    assert [(x.name, x.shape, x.encoding, x.num_nonzero) for x in header.tensors] == [
        ("fc.weight", (4, 8), "masked", 8),
        ("fc.bias", (4,), "raw", None),
    ]


def test_the_frame_holds_the_stored_chunks(path):
    _, chunks = read_frame(path)
    assert list(chunks.values()) == [x for _, stored in tensors_of().values() for x in stored]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(PackedFormatError, match=r"must be an existing file, got .*nowhere\.$"):
        read_header(tmp_path / "nowhere")


def test_plain_weights_are_no_packed_network(tmp_path):
    save_file({"weight": torch.ones(2)}, tmp_path / "plain")
    with pytest.raises(
        PackedFormatError, match=r"format must be mixmatch-packed, got None; it may"
    ):
        read_header(tmp_path / "plain")


@pytest.mark.parametrize("content", [b"", b"hello", bytes(100), b"\xff" * 100])
def test_other_files_are_no_packed_network(content, tmp_path):
    (tmp_path / "other").write_bytes(content)
    with pytest.raises(PackedFormatError, match=r"other is damaged, or no packed network: "):
        read_header(tmp_path / "other")


def test_a_truncated_file_is_damaged(path):
    content = path.read_bytes()
    for length in range(0, len(content), 50):
        path.write_bytes(content[:length])
        with pytest.raises(PackedFormatError, match=r"is damaged, or no packed network: "):
            read_frame(path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("version", "2", r"its version must be 1, got '2'; a newer mixmatch may read it"),
        ("format", "other", r"its format must be mixmatch-packed, got 'other'"),
        ("extra", "1", r"its metadata must be \['format'.*got \['extra'"),
        ("spec", "{", r"its header is damaged at JSON: Invalid JSON"),
        ("spec", "{}", r"its header is damaged at architecture: Field required"),
        ("layout", "7", r"its header is damaged at JSON: Input should be a valid array"),
        ("layout", "[]", r"its chunks must be those of its layout"),
        ("layout", '[{"name": 3}]', r"its header is damaged at 0\.name: Input should be a valid"),
        ("layout", "[" * 9999, r"its header is damaged at JSON"),
    ],
)
def test_refuses_metadata_of_another_kind(key, value, message, path):
    rewrite(path, lambda header: header["__metadata__"].update({key: value}))
    with pytest.raises(PackedFormatError, match=message):
        read_header(path)


def test_refuses_missing_metadata(path):
    rewrite(path, lambda header: header["__metadata__"].pop("sha256"))
    with pytest.raises(PackedFormatError, match=r"its metadata must be"):
        read_header(path)


def test_refuses_chunks_that_are_no_bytes(path):
    rewrite(path, lambda header: header["fc.bias/data"].update(dtype="I8"))
    with pytest.raises(PackedFormatError, match=r"its chunks must be bytes \(U8\)"):
        read_header(path)


def test_refuses_a_chunk_under_another_name(path):
    rewrite(path, lambda header: header.update({"other": header.pop("fc.bias/data")}))
    with pytest.raises(PackedFormatError, match=r"its chunks must be those of its layout"):
        read_header(path)


@pytest.mark.parametrize("key", ["spec", "layout"])
def test_refuses_a_header_that_was_edited(key, path):
    def edit(header):
        text = header["__metadata__"][key]
        header["__metadata__"][key] = text.replace("fc.bias", "fc.gain").replace("test_r", "r")
        header["fc.gain/data" if key == "layout" else "fc.bias/data"] = header.pop("fc.bias/data")

    rewrite(path, edit)
    read_header(path)
    with pytest.raises(PackedFormatError, match=r"is damaged: its content must have the digest "):
        read_frame(path)


def test_refuses_a_chunk_that_was_edited(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(PackedFormatError, match=r"is damaged: its content must have the digest "):
        read_frame(path)
