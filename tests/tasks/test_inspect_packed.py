import json
import subprocess
import sys
from contextlib import suppress

import pytest
import torch

from mixmatch.errors import PackedFormatError
from mixmatch.packed_codec import encode
from mixmatch.packed_file import write_frame
from mixmatch.records import ModelSpec
from tasks.inspect_packed import KindSummary, PackedSummary, SizesOnDisk, inspect_packed

SPEC = ModelSpec(
    architecture="resnet18",
    arguments={"layers": [1, 1]},
    num_classes=2,
    image_shape=(8, 8, 1),
    mean=(0.5,),
    std=(0.25,),
    classes=("cat", "dog"),
)


@pytest.fixture
def path(tmp_path):
    """Write 3 of 32 weights as a mask, 2 of 2 dense, and two tensors that are not prunable.

    Every part is shorter than the frame of a compressed one, so that none is compressed.
    """
    sparse = torch.zeros(4, 8)
    sparse[0, :3] = torch.tensor([1.0, 2.0, 3.0])
    tensors = {
        "conv.weight": encode("conv.weight", sparse, prunable=True),
        "fc.bias": encode("fc.bias", torch.ones(2), prunable=False),
        "fc.weight": encode("fc.weight", torch.tensor([[1.0, 2.0]]), prunable=True),
        "bn.num_batches_tracked": encode("num", torch.tensor(7), prunable=False),
    }
    named = {name: (x.model_copy(update={"name": name}), y) for name, (x, y) in tensors.items()}
    write_frame(tmp_path / "net.packed", SPEC, named)
    return tmp_path / "net.packed"


def rewrite(path, change):
    """Apply ``change`` to the JSON header of a packed file, in place."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])


def claim(path, **changes):
    """Change what the layout says of its first tensor."""

    def change(header):
        layout = json.loads(header["__metadata__"]["layout"])
        layout[0] |= changes
        header["__metadata__"]["layout"] = json.dumps(layout)

    rewrite(path, change)


def test_says_what_each_tensor_is_and_what_its_parts_take_on_disk(path):
    conv, bias, fc, counter = inspect_packed(path).tensors
    assert (conv.name, conv.shape, conv.dtype) == ("conv.weight", (4, 8), "float32")
    assert (conv.encoding, conv.bytes) == ("masked", {"mask": 4, "exponents": 3, "mantissas": 9})
    assert (conv.num_entries, conv.num_nonzero, conv.sparsity) == (32, 3, 29 / 32)
    assert (fc.encoding, fc.bytes) == ("dense", {"exponents": 2, "mantissas": 6})
    assert (fc.num_nonzero, fc.sparsity) == (2, 0.0)
    assert (bias.encoding, bias.bytes, bias.num_nonzero) == ("raw", {"data": 8}, None)
    assert (counter.shape, counter.dtype, counter.sparsity) == ((), "int64", None)


def test_sums_up_the_prunable_weights_alone(path):
    summary = inspect_packed(path)
    assert (summary.num_weights, summary.num_nonzero, summary.sparsity) == (34, 5, 29 / 34)


def test_the_parts_make_up_the_whole_file(path):
    summary, size = inspect_packed(path), path.stat().st_size
    assert summary.bytes == size
    assert summary.bytes_by_part == SizesOnDisk(
        masks=4, exponents=5, mantissas=15, rest=16, header=size - 40
    )
    assert sum(summary.bytes_by_part.model_dump().values()) == size


def test_dense_means_four_bytes_per_float_and_integers_as_they_are(path):
    assert inspect_packed(path).dense_bytes == 4 * (32 + 2 + 2) + 8


def test_groups_the_tensors_by_kind_the_prunable_ones_first(path):
    kinds = [tuple(kind.model_dump().values()) for kind in inspect_packed(path).kinds]
    assert list(KindSummary.model_fields)[:3] == ["prunable", "dtype", "encoding"]
    assert kinds == [
        (True, "float32", "masked", 1, 32, 16),
        (True, "float32", "dense", 1, 2, 8),
        (False, "float32", "raw", 1, 2, 8),
        (False, "int64", "raw", 1, 1, 8),
    ]


def test_says_how_the_network_is_built_and_fed(path):
    summary = inspect_packed(path)
    assert (summary.file, summary.version, summary.spec) == (str(path), "1", SPEC)


def test_a_network_without_a_prunable_weight_is_not_sparse(path):
    write_frame(path, SPEC, {"n": encode("n", torch.tensor(7), prunable=False)})
    summary = inspect_packed(path)
    assert (summary.num_weights, summary.num_nonzero, summary.sparsity) == (0, 0, 0.0)


def test_the_summary_comes_back_from_its_json(path):
    summary = inspect_packed(path)
    assert PackedSummary.model_validate_json(summary.model_dump_json()) == summary


def test_a_changed_byte_of_a_chunk_is_found(path):
    damage(path, -1)
    with pytest.raises(PackedFormatError, match=r"is damaged: its content must have the digest"):
        inspect_packed(path)


def test_nothing_is_called_verified_that_was_not_read(path):
    whole = inspect_packed(path)
    damage(path, -1)
    header_only = inspect_packed(path, header_only=True)
    assert (whole.verified, header_only.verified) == (True, False)
    assert header_only.model_copy(update={"verified": True}) == whole


def damage(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("header_only", [True, False])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_nonzero": 33}, r"num_nonzero of tensor 'conv.weight' must lie in \[0, 32\], got 33"),
        ({"num_nonzero": 4}, r"'conv.weight' must have the sizes .*'exponents': 4.* got .*: 3"),
        ({"shape": [8, 8]}, r"'conv.weight' must have the sizes .*'mask': 8.* got .*'mask': 4"),
        ({"shape": [-4, -8]}, r"shape of tensor 'conv.weight' is impossible: \[-4, -8\]"),
        ({"name": "fc.weight"}, r"tensor 'fc.weight' is listed twice"),
        ({"name": "other"}, r"its chunks must be those of its layout"),
        ({"encoding": "gaps"}, r"must be one of masked, dense, raw, got 'gaps'"),
    ],
)
def test_a_header_that_lies_is_refused(path, changes, message, header_only):
    claim(path, **changes)
    with pytest.raises(PackedFormatError, match=f"net.packed cannot be read .*{message}"):
        inspect_packed(path, header_only=header_only)


def test_a_version_of_the_future_is_refused(path):
    rewrite(path, lambda header: header["__metadata__"].update(version="99"))
    with pytest.raises(PackedFormatError, match=r"got '99'; a newer mixmatch may read it"):
        inspect_packed(path)


def test_a_file_cut_short_anywhere_is_refused(path):
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(PackedFormatError, match=r"net.packed is damaged, or no packed network"):
            inspect_packed(path)


def test_any_changed_byte_is_refused_or_changes_nothing(path):
    content, whole = path.read_bytes(), inspect_packed(path)
    for place in range(len(content)):
        path.write_bytes(content)
        damage(path, place)
        with suppress(PackedFormatError):
            assert inspect_packed(path) == whole


@pytest.mark.parametrize("content", [b"", b"no packed file", bytes(100), b"\xff" * 100])
def test_what_is_no_packed_file_is_refused(tmp_path, content):
    (tmp_path / "net.packed").write_bytes(content)
    with pytest.raises(PackedFormatError, match=r"net.packed is damaged, or no packed network"):
        inspect_packed(tmp_path / "net.packed")


@pytest.mark.parametrize("name", ["nothing.packed", "."])
def test_what_is_no_file_is_refused(tmp_path, name):
    with pytest.raises(PackedFormatError, match=r"must be an existing file, got "):
        inspect_packed(tmp_path / name)


def test_torch_is_not_needed(path):
    code = (
        "import sys, pathlib; from tasks.inspect_packed import inspect_packed;"
        "print(inspect_packed(pathlib.Path(sys.argv[1])).num_nonzero, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
    )
    assert done.stdout == "5 False\n"
