import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from mixmatch.errors import PackedFormatError
from mixmatch.packed import save_packed_state
from mixmatch.records import ModelSpec
from tasks.inspect_packed import KindSummary, PackedSummary, SizesOnDisk, inspect_packed

VERSION_1 = Path(__file__).parents[1] / "mixmatch" / "packed" / "version1.safetensors"
SPEC = ModelSpec(
    architecture="resnet18",
    arguments={"layers": [1, 1]},
    num_classes=2,
    image_shape=(8, 8, 1),
    mean=(0.5,),
    std=(0.25,),
    classes=("cat", "dog"),
)
# Every part is shorter than the frame of a compressed one, so that none is compressed.
STATE = {
    "conv.weight": torch.tensor([[1.0, 2, 3, 0, 0, 0, 0, 0], *([[0.0] * 8] * 3)]),
    "fc.bias": torch.ones(2),
    "fc.weight": torch.tensor([[1.0, 2.0]]),
    "bn.num_batches_tracked": torch.tensor(7),
}


def saved(path, values="float32"):
    save_packed_state(path, STATE, SPEC, {"conv.weight", "fc.weight"}, values=values)
    return path


@pytest.fixture
def path(tmp_path):
    """Write 3 of 32 weights, 2 of 2, and two tensors that are not prunable."""
    return saved(tmp_path / "net.packed")


def test_says_what_each_tensor_is_and_what_its_parts_take_on_disk(path):
    conv, bias, fc, counter = inspect_packed(path).tensors
    assert (conv.name, conv.shape, conv.dtype) == ("conv.weight", (4, 8), "float32")
    assert (conv.encoding, conv.values) == ("kept_gaps", "float32")
    assert conv.bytes == {"gaps": 3, "exponents": 3, "mantissas": 9}
    assert (conv.mask_bytes, conv.value_bytes, conv.scale_bytes) == (3, 12, 0)
    assert (conv.num_entries, conv.num_nonzero, conv.sparsity) == (32, 3, 29 / 32)
    assert (fc.encoding, fc.bytes) == ("all", {"exponents": 2, "mantissas": 6})
    assert (fc.num_nonzero, fc.sparsity) == (2, 0.0)
    assert (bias.encoding, bias.values, bias.bytes) == ("grouped", None, {})
    assert (counter.shape, counter.dtype, counter.num_nonzero) == ((), "int64", None)
    assert counter.sparsity is None


def test_int8_weights_show_their_scales(tmp_path):
    summary = inspect_packed(saved(tmp_path / "net.packed", "int8"))
    conv, _, fc, _ = summary.tensors
    assert summary.values == "int8"
    assert conv.bytes == {"gaps": 3, "scales": 16, "codes": 3}
    assert (conv.mask_bytes, conv.value_bytes, conv.scale_bytes) == (3, 3, 16)
    assert fc.bytes == {"scales": 4, "codes": 2}
    assert (summary.bytes_by_part.codes, summary.bytes_by_part.scales) == (5, 20)
    assert summary.bytes_by_part.values == 5


def test_float16_weights_are_split_at_their_higher_byte(tmp_path):
    sizes = inspect_packed(saved(tmp_path / "net.packed", "float16")).bytes_by_part
    assert (sizes.exponents, sizes.mantissas, sizes.values) == (5, 5, 10)


def test_sums_up_the_prunable_weights_alone(path):
    summary = inspect_packed(path)
    assert (summary.num_weights, summary.num_nonzero, summary.sparsity) == (34, 5, 29 / 34)


@pytest.mark.parametrize("values", ["float32", "bfloat16", "float16", "int8"])
def test_the_parts_make_up_the_whole_file(values, tmp_path):
    path = saved(tmp_path / "net.packed", values)
    summary, size = inspect_packed(path), path.stat().st_size
    assert summary.bytes == size
    assert sum(summary.bytes_by_part.model_dump().values()) == size


def test_what_is_not_prunable_is_the_rest(path):
    assert inspect_packed(path).bytes_by_part == SizesOnDisk(
        masks=3,
        exponents=5,
        mantissas=15,
        codes=0,
        scales=0,
        rest=16,
        header=path.stat().st_size - 39,
    )


def test_dense_means_four_bytes_per_float_and_integers_as_they_are(path):
    assert inspect_packed(path).dense_bytes == 4 * (32 + 2 + 2) + 8


def test_groups_the_tensors_by_kind_the_prunable_ones_first(path):
    kinds = [tuple(kind.model_dump().values()) for kind in inspect_packed(path).kinds]
    assert list(KindSummary.model_fields)[:3] == ["prunable", "dtype", "encoding"]
    assert kinds == [
        (True, "float32", "kept_gaps", 1, 32, 15),
        (True, "float32", "all", 1, 2, 8),
        (False, "float32", "grouped", 1, 2, 8),
        (False, "int64", "grouped", 1, 1, 8),
    ]


def test_says_how_the_network_is_built_and_fed(path):
    summary = inspect_packed(path)
    assert (summary.file, summary.version, summary.values) == (str(path), "2", "float32")
    assert summary.spec == SPEC


def test_compares_masks_and_values_with_their_order_0_entropy(tmp_path):
    weight = torch.zeros(64)
    weight[::4] = 1.0  # 16 of 64: 64 * H(1/4) = 51.92 bits; values alike: 23 bits of each mantissa
    save_packed_state(tmp_path / "net", {"w": weight}, SPEC, {"w"})
    summary = inspect_packed(tmp_path / "net")
    assert summary.entropy.masks_bytes == pytest.approx(51.92 / 8, abs=0.01)
    assert summary.entropy.values_bytes == 16 * 23 / 8
    stored = summary.bytes_by_part.masks + summary.bytes_by_part.values
    least = summary.entropy.masks_bytes + summary.entropy.values_bytes
    assert summary.entropy.above == pytest.approx(stored / least - 1)


def test_there_is_no_bound_where_nothing_is_kept(tmp_path):
    save_packed_state(tmp_path / "net", {"w": torch.zeros(9)}, SPEC, {"w"})
    summary = inspect_packed(tmp_path / "net")
    assert (summary.num_weights, summary.sparsity, summary.entropy) == (9, 1.0, None)


def test_a_network_without_a_prunable_weight_is_not_sparse(tmp_path):
    save_packed_state(tmp_path / "net", {"n": torch.tensor(7)}, SPEC, set())
    summary = inspect_packed(tmp_path / "net")
    assert (summary.num_weights, summary.num_nonzero, summary.sparsity) == (0, 0, 0.0)


def test_prunable_weights_that_are_not_float32_belong_to_the_rest(tmp_path):
    save_packed_state(tmp_path / "net", {"w": torch.ones(4, dtype=torch.float64)}, SPEC, {"w"})
    summary = inspect_packed(tmp_path / "net")
    assert (summary.num_nonzero, summary.entropy) == (4, None)
    assert summary.bytes_by_part.rest == sum(summary.tensors[0].bytes.values()) > 0


def test_describes_a_file_of_version_1():
    summary = inspect_packed(VERSION_1)
    assert (summary.version, summary.values, summary.verified) == ("1", "float32", True)
    assert (summary.num_weights, summary.num_nonzero) == (63_560, 12_874)
    assert summary.tensors[0].encoding == "mask"
    assert (summary.tensors[0].mask_bytes, summary.tensors[0].value_bytes) == (9, 60)
    assert sum(summary.bytes_by_part.model_dump().values()) == summary.bytes == 85_215
    assert summary.bytes_by_part.masks == 6_236
    assert 0 < summary.entropy.above < 0.05


def test_the_summary_comes_back_from_its_json(path):
    summary = inspect_packed(path)
    assert PackedSummary.model_validate_json(summary.model_dump_json()) == summary


def test_a_changed_byte_of_a_block_is_found(path):
    damage(path, -1)
    with pytest.raises(PackedFormatError, match=r"is damaged: its content must have the digest"):
        inspect_packed(path)


def test_nothing_is_called_verified_that_was_not_read(path):
    whole = inspect_packed(path)
    damage(path, -1)
    header_only = inspect_packed(path, header_only=True)
    assert (whole.verified, header_only.verified) == (True, False)
    assert header_only.entropy is None
    changed = header_only.model_copy(update={"verified": True, "entropy": whole.entropy})
    assert changed == whole


def damage(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def test_a_version_of_the_future_is_refused(path):
    path.write_bytes(path.read_bytes().replace(b'"version":"2"', b'"version":"9"'))
    with pytest.raises(PackedFormatError, match=r"got '9'; a newer mixmatch may read it"):
        inspect_packed(path)


@pytest.mark.parametrize("header_only", [True, False])
def test_a_file_cut_short_is_refused(header_only, path):
    content = path.read_bytes()
    for length in range(0, len(content), 50):
        path.write_bytes(content[:length])
        with pytest.raises(PackedFormatError, match=r"net.packed is damaged, or no packed network"):
            inspect_packed(path, header_only=header_only)


def test_any_changed_byte_of_the_header_is_refused_or_changes_nothing(path):
    content = path.read_bytes()
    for place in range(0, len(content), 9):
        path.write_bytes(content)
        damage(path, place)
        with suppress(PackedFormatError):
            pytest.fail(f"byte {place} of {inspect_packed(path).file} may be changed unseen")


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
