import io

import pytest
from rich.console import Console

from flows.cli.inspect_table import print_packed
from tasks.inspect_packed import PackedSummary

TENSOR = {"dtype": "float32", "encoding": "kept_gaps"}
PACKED = {
    "file": "net.packed",
    "version": "2",
    "digest": "d" * 64,
    "verified": True,
    "spec": {
        "architecture": "resnet18",
        "arguments": {},
        "num_classes": 11,
        "image_shape": (32, 32, 3),
        "mean": (0.30612, 0.3, 0.3),
        "std": (0.376, 0.3, 0.3),
        "classes": tuple("0123456789X"),
    },
    "values": "float32",
    "num_weights": 11_000,
    "num_nonzero": 1_100,
    "sparsity": 0.9,
    "bytes": 5_500,
    "dense_bytes": 44_000,
    "bytes_by_part": {
        "masks": 1_250,
        "exponents": 500,
        "mantissas": 3_000,
        "codes": 0,
        "scales": 0,
        "rest": 250,
        "header": 500,
    },
    "entropy": {"masks_bytes": 1_200.0, "values_bytes": 3_460.4, "above": 0.01931},
    "kinds": (
        {"prunable": True, "num_tensors": 2, "num_entries": 11_000, "bytes": 4_750} | TENSOR,
        {"prunable": False, "num_tensors": 40, "num_entries": 40, "bytes": 250}
        | {"dtype": "int64", "encoding": "grouped"},
    ),
    "tensors": (
        {
            "name": "fc.weight",
            "shape": (4, 398),
            "num_entries": 1_592,
            "num_nonzero": 100,
            "sparsity": 0.93719,
            "bytes": {"scales": 16, "codes": 334},
            "mask_bytes": 0,
            "scale_bytes": 16,
            "value_bytes": 334,
        }
        | {"dtype": "float32", "encoding": "all", "values": "int8"},
        {
            "name": "conv1.weight",
            "shape": (64, 3, 7, 7),
            "num_entries": 9_408,
            "num_nonzero": 1_000,
            "sparsity": 0.8937,
            "bytes": {"gaps": 1_176, "exponents": 450, "mantissas": 2_700},
            "mask_bytes": 1_176,
            "scale_bytes": 0,
            "value_bytes": 3_150,
        }
        | {"values": "float32"}
        | TENSOR,
        {
            "name": "bn1.num_batches_tracked",
            "shape": (),
            "dtype": "int64",
            "encoding": "grouped",
            "values": None,
            "num_entries": 1,
            "num_nonzero": None,
            "sparsity": None,
            "bytes": {},
            "mask_bytes": 0,
            "scale_bytes": 0,
            "value_bytes": 0,
        },
    ),
}


def text(width=120, **changes):
    console = Console(file=io.StringIO(), width=width, highlight=False, markup=False, emoji=False)
    print_packed(console, PackedSummary.model_validate(PACKED | changes))
    return console.file.getvalue()


def lines(**changes):
    return [" ".join(line.split()) for line in text(**changes).splitlines()]


def with_spec(**changes):
    return {"spec": PACKED["spec"] | changes}


def test_says_what_the_file_is():
    assert text().splitlines()[:11] == [
        "File           net.packed, packed format version 2",
        "Architecture   resnet18, arguments none",
        "Images         32 x 32 x 3",
        "Classes        11: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ...",
        "Normalization  mean 0.3061, 0.3, 0.3; standard deviation 0.376, 0.3, 0.3",
        f"Digest         {'d' * 64} (verified: the stored bytes have it)",
        "Weights        11,000 prunable, 1,100 kept: sparsity 90.00 %",
        "Values         float32",
        "On disk        5,500 bytes (0.01 MB), 12.50 % of 44,000 bytes dense in float32",
        "Of it          masks 1,250, values 3,500, rest 250, header 500",
        "Entropy        masks and values are 1.93 % above their order-0 bound of 4,660 bytes "
        "(masks 1,200, values 3,460)",
    ]


def test_int8_values_have_scales():
    sizes = PACKED["bytes_by_part"] | {"codes": 900, "scales": 40, "exponents": 0, "mantissas": 0}
    shown = lines(values="int8", bytes_by_part=sizes)
    assert "Values int8, with one scale per output channel" in shown
    assert "Of it masks 1,250, values 900, scales 40, rest 250, header 500" in shown


def test_a_pattern_may_take_less_than_the_bound():
    entropy = PACKED["entropy"] | {"above": -0.25}
    shown = next(line for line in lines(entropy=entropy) if line.startswith("Entropy"))
    assert shown.startswith("Entropy masks and values are 25.00 % below their order-0 bound of")


def test_a_bound_that_was_not_measured_is_not_shown():
    assert not any(line.startswith("Entropy") for line in lines(entropy=None))


def test_a_digest_that_was_not_checked_is_called_the_files_own_claim():
    shown = next(line for line in lines(verified=False) if line.startswith("Digest"))
    assert shown == f"Digest {'d' * 64} (as the file states; the stored bytes were not read)"


def test_a_factory_is_named_with_its_arguments_and_the_digest_of_its_source():
    spec = with_spec(architecture="nets:small", arguments={"width": 4}, code_digest="c" * 64)
    assert lines(**spec)[1:3] == [
        "Architecture nets:small, arguments {'width': 4}",
        f"Factory source with SHA-256 {'c' * 64}",
    ]


def test_an_empty_network_has_no_share():
    assert "On disk 5,500 bytes (0.01 MB); 0 bytes dense in float32" in lines(dense_bytes=0)


def test_counts_tensors_by_kind():
    shown = lines()
    assert "tensors dtype encoding number entries bytes" in shown
    assert "prunable float32 kept_gaps 2 11,000 4,750" in shown
    assert "other int64 grouped 40 40 250" in shown


def test_lists_the_prunable_tensors_with_the_bytes_of_mask_and_values():
    shown = lines()
    assert "prunable tensor shape encoding kept sparsity % mask, B values, B bytes" in shown
    assert "conv1.weight 64x3x7x7 kept_gaps 1,000 89.37 1,176 3,150 4,326" in shown
    assert "fc.weight 4x398 all 100 93.72 0 350 350" in shown  # with its scales
    assert not any(line.startswith("bn1") for line in shown)


@pytest.mark.parametrize("field", ["architecture", "classes"])
def test_what_would_drive_a_terminal_is_shown_instead(field):
    evil = "\x1b]0;owned\x07\n\u202eX"
    shown = text(**with_spec(**{field: evil if field == "architecture" else (evil,)}))
    assert r"\x1b]0;owned\x07\n\u202eX" in shown
    assert not {"\x1b", "\x07", "\u202e"} & set(shown)


def test_a_long_name_is_folded_and_never_cut():
    tensors = (PACKED["tensors"][1] | {"name": "a\x1b" * 40},)
    folded = text(tensors=tensors)
    assert "\x1b" not in folded
    assert "…" not in folded
    assert (
        folded.count("a") - text(tensors=(PACKED["tensors"][1] | {"name": "b"},)).count("a") == 40
    )
