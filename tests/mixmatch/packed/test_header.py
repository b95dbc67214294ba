"""What a file says about itself, and lies that only its content shows."""

import json
from dataclasses import replace

import pytest
import torch
import zstandard

from mixmatch.errors import PackedFormatError
from mixmatch.packed import read_header, read_packed, save_packed_state
from mixmatch.packed.frame import read_frame
from mixmatch.packed.header import header_of
from mixmatch.packed.layout import Part


@pytest.fixture
def path(tmp_path, spec_of):
    state = {
        "w": torch.eye(40),
        "b": torch.arange(3.0),
        "n": torch.tensor(7),
    }
    save_packed_state(tmp_path / "net", state, spec_of(), {"w"})
    return tmp_path / "net"


def test_the_layout_leaves_out_what_has_its_default(path):
    tensors = json.loads(layout_text(path))["tensors"]
    assert tensors[1] == {"dtype": "float32", "name": "b", "shape": [3]}
    stated = ["dtype", "name", "num_nonzero", "parts", "positions", "shape", "values"]
    assert sorted(tensors[0]) == stated


def layout_text(path):
    header = read_header(path)
    return json.dumps(header.layout.model_dump(mode="json", exclude_defaults=True))


@pytest.mark.parametrize("header", [{"values": "int4"}, {"values": ""}])
def test_unknown_values_are_refused(header, path, tmp_path, forge):
    with pytest.raises(PackedFormatError, match=r"its values must be one of float32.*a newer mixm"):
        read_header(forge(path, tmp_path / "evil", **header))


def test_values_other_than_the_file_states_are_refused(path, tmp_path, forge):
    with pytest.raises(PackedFormatError, match=r"values of tensor 'w' must be one of int8, got"):
        read_header(forge(path, tmp_path / "evil", values="int8"))


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"version": "3"}, r"its version must be 1 or 2, got '3'; a newer mixmatch may read it"),
        ({"version": "1"}, r"its metadata must be \['format', 'layout'"),
        ({"format": "mixmatch-pickle"}, r"its format must be .*, got 'mixmatch-pickle'; it may"),
        ({"extra": "1"}, r"its metadata must be \['format'.*got \['extra'"),
        ({"spec": "{"}, r"its header is damaged at JSON: Invalid JSON"),
        ({"spec": "{}"}, r"its header is damaged at architecture: Field required"),
        ({"spec": "[" * 9999}, r"its header is damaged at JSON"),
    ],
)
def test_refuses_metadata_of_another_kind(metadata, message, path, tmp_path, forge):
    with pytest.raises(PackedFormatError, match=rf"evil cannot be read as a packed .*{message}"):
        read_header(forge(path, tmp_path / "evil", **metadata))


def zstd(text, **settings):
    return [zstandard.ZstdCompressor(**settings).compress(text)]


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (zstd(b"7"), r"its header is damaged at JSON: Input should be an object"),
        (zstd(b'{"tensors":[{"name":3}]}'), r"its header is damaged at tensors\.0\.name: Input"),
        (zstd(b'{"tensors":[],"more":1}'), r"its header is damaged at more: Extra inputs are not"),
        (zstd(b'{"tensors":[]}'), r"its blocks must be those of its layout, in its order"),
        (zstd(b"\xff\xff"), r"its layout must be UTF-8 text"),
        (zstd(b"[" * 10**5), r"its header is damaged at JSON: Invalid JSON"),
        (zstd(bytes(2**24 + 1)), r"its layout may have 16777216 bytes, got a claim of 16777217"),
        (zstd(b"{}", write_content_size=False), r"its layout may have 16777216 bytes, got a cla"),
        ([b"not a frame"], r"its layout cannot be decompressed"),
        ([b""], r"its layout cannot be decompressed"),
    ],
)
def test_refuses_layouts_of_another_kind(block, message, path, tmp_path, forge):
    with pytest.raises(PackedFormatError, match=message):
        read_header(forge(path, tmp_path / "evil", blocks={"layout": block}))


def test_a_frame_that_claims_terabytes_allocates_nothing(path, tmp_path, forge):
    # A frame header of a single segment with a content size of eight bytes (RFC 8878, 3.1.1.1).
    frame = b"\x28\xb5\x2f\xfd\xe0" + (2**44).to_bytes(8, "little") + b"\x01\x00\x00"
    with pytest.raises(PackedFormatError, match=r"got a claim of 17592186044416"):
        read_header(forge(path, tmp_path / "evil", blocks={"layout": [frame]}))


def test_refuses_a_missing_layout(path):
    with path.open("rb") as file:
        whole = read_frame(file)
        blocks = {name: block for name, block in whole.blocks.items() if name != "layout"}
        with pytest.raises(PackedFormatError, match=r"its block 'layout' is missing"):
            header_of(file, replace(whole, blocks=blocks))


def test_refuses_a_block_of_another_length(path, tmp_path, forge):
    with pytest.raises(PackedFormatError, match=r"its block 'tensor/w' must have \d+ bytes, got 3"):
        read_header(forge(path, tmp_path / "evil", blocks={"tensor/w": [b"abc"]}))


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        ({"num_nonzero": 39, "num_kept": 40}, r"'w' must have 39 values that are not zero, got 40"),
        ({"shape": (39, 40)}, r"the gaps must lead to 40 of 1560 entries and end there"),
    ],
)
def test_a_lie_under_a_sound_digest_is_refused(claims, message, path, tmp_path, forge, claim):
    evil = forge(path, tmp_path / "evil", layout=claim("w", **claims))
    with pytest.raises(PackedFormatError, match=rf"evil cannot be read as a packed .*{message}"):
        read_packed(evil)


def forged_content(path, target, forge, name, part, content):
    """Replace the content of a part, stored as it is, and what the layout says of its length."""
    header = read_header(path)
    (tensor,) = (x for x in header.tensors if x.name == name)
    with path.open("rb") as file:
        block = read_frame(file).blocks[f"tensor/{name}"]
        file.seek(block.begin)
        pieces = {x.name: file.read(x.stored_bytes) for x in tensor.parts}
    pieces[part] = content
    plain = Part(name=part, codec="none", size_bytes=len(content), stored_bytes=len(content))
    parts = tuple(plain if x.name == part else x for x in tensor.parts)

    def change(layout):
        tensors = (
            x.model_copy(update={"parts": parts}) if x.name == name else x for x in layout.tensors
        )
        return layout.model_copy(update={"tensors": tuple(tensors)})

    return forge(path, target, layout=change, blocks={f"tensor/{name}": list(pieces.values())})


@pytest.mark.parametrize(
    ("values", "part", "content", "message"),
    [
        ("int8", "scales", bytes(160), r"scales of tensor 'w' must be finite and above 0"),
        ("int8", "scales", b"\xff" * 160, r"scales of tensor 'w' must be finite and above 0"),
        (
            "int8",
            "scales",
            b"\xfe" * 40 + bytes(120),
            r"scales of .* must leave its weights finite",
        ),
        ("int8", "codes", bytes(40), r"'w' must have 40 values that are not zero, got 0"),
        ("float32", "exponents", bytes(40), r"'w' must have 40 values that are not zero, got 0"),
        ("float32", "exponents", bytes(39), r"exponents of tensor 'w' must have 40 bytes, got 39"),
    ],
)
def test_values_that_contradict_the_counts_are_refused(
    values, part, content, message, tmp_path, spec_of, forge
):
    save_packed_state(tmp_path / "net", {"w": torch.eye(40)}, spec_of(), {"w"}, values=values)
    evil = forged_content(tmp_path / "net", tmp_path / "evil", forge, "w", part, content)
    with pytest.raises(PackedFormatError, match=message):
        read_packed(evil)


def test_a_kept_value_without_a_bit_is_refused(tmp_path, spec_of, forge, claim):
    weight = torch.zeros(40)
    weight[:5] = torch.tensor([1.0, -0.0, 2.0, 3.0, 4.0])
    save_packed_state(tmp_path / "net", {"w": weight}, spec_of(), {"w"})
    zeroed = forged_content(
        tmp_path / "net", tmp_path / "zeroed", forge, "w", "mantissas", bytes(15)
    )
    with pytest.raises(PackedFormatError, match=r"'w' must keep 5 values with a bit set, got 4"):
        read_packed(zeroed)


def test_a_bool_other_than_0_and_1_is_refused(tmp_path, spec_of, forge):
    state = {"w": torch.ones(100, dtype=torch.bool)}
    save_packed_state(tmp_path / "net", state, spec_of(), {"w"})
    evil = forged_content(tmp_path / "net", tmp_path / "evil", forge, "w", "data", b"\x02" * 100)
    with pytest.raises(PackedFormatError, match=r"tensor 'w' must hold the bytes 0 and 1"):
        read_packed(evil)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mean": (float("nan"), 0.5, 0.5)}, "its mean and std must be 3 finite numbers each"),
        ({"mean": (0.5,)}, "its mean and std must be 3 finite numbers each"),
        ({"std": (0.25, 0.0, 0.25)}, "std above 0"),
        ({"std": (0.25, float("inf"), 0.25)}, "std above 0"),
        ({"classes": ("cat",)}, "its classes must be 10 names or none, got 1"),
    ],
)
def test_preprocessing_that_no_network_can_be_fed_with_is_refused(
    change, message, path, tmp_path, forge, spec_of
):
    text = json.dumps(spec_of().model_copy(update=change).model_dump(mode="python"))
    with pytest.raises(PackedFormatError, match=message):
        read_header(forge(path, tmp_path / "evil", spec=text))


def test_of_what_is_not_prunable_all_must_be_stored(path, tmp_path, forge, claim):
    layout = claim("w", num_nonzero=None, positions="nothing", parts=(), values="float32")
    with pytest.raises(PackedFormatError, match=r"tensor 'w' is not prunable, so all of it must"):
        read_header(forge(path, tmp_path / "evil", layout=layout))


def test_a_file_that_cannot_be_written_leaves_the_earlier_one(path, spec_of, monkeypatch):
    before = path.read_bytes()

    def full(*given):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mixmatch.packed.frame.os.replace", full)
    with pytest.raises(OSError, match="No space left"):
        save_packed_state(path, {"w": torch.ones(9)}, spec_of(), {"w"})
    assert path.read_bytes() == before
    assert [x.name for x in path.parent.iterdir()] == [path.name]


def test_what_cannot_be_fed_is_not_written(path, spec_of):
    before = path.read_bytes()
    grey = spec_of().model_copy(update={"image_shape": (28, 28, 1)})
    with pytest.raises(PackedFormatError, match="its mean and std must be 1 finite numbers each"):
        save_packed_state(path, {"w": torch.ones(9)}, grey, {"w"})
    assert path.read_bytes() == before
