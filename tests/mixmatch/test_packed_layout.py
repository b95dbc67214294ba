import pytest

from mixmatch.errors import PackedFormatError
from mixmatch.packed_layout import Chunk, PackedTensor, check_layout, sizes_by_part


def tensor_of(**changes):
    fields = {
        "name": "fc.weight",
        "shape": (3, 4),
        "dtype": "float32",
        "encoding": "masked",
        "num_nonzero": 5,
        "chunks": {
            "mask": Chunk(codec="none", size_bytes=2),
            "exponents": Chunk(codec="zstd", size_bytes=5),
            "mantissas": Chunk(codec="none", size_bytes=15),
        },
    }
    return PackedTensor(**{**fields, **changes})


@pytest.mark.parametrize(
    ("changes", "sizes"),
    [
        ({}, {"mask": 2, "exponents": 5, "mantissas": 15}),
        ({"encoding": "dense"}, {"exponents": 12, "mantissas": 36}),
        ({"encoding": "raw"}, {"data": 48}),
        ({"encoding": "raw", "dtype": "int64", "shape": ()}, {"data": 8}),
        ({"encoding": "raw", "dtype": "uint8", "shape": (0, 7)}, {"data": 0}),
    ],
)
def test_sizes_follow_from_shape_encoding_and_count(changes, sizes):
    assert sizes_by_part(tensor_of(**changes)) == sizes


def test_a_sound_layout_passes():
    check_layout((tensor_of(), tensor_of(name="other")))


def test_keys_are_name_and_part():
    assert list(tensor_of().chunk_keys().values()) == [
        "fc.weight/mask",
        "fc.weight/exponents",
        "fc.weight/mantissas",
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dtype": "float8"}, r"dtype of tensor 'fc\.weight' must be one of float32.*got 'float8'"),
        ({"encoding": "int4"}, r"encoding of tensor .* masked, dense, raw, got 'int4'; a newer"),
        ({"dtype": "int8"}, r"encoding masked of tensor 'fc\.weight' must hold float32, got int8"),
        ({"shape": (3, -4)}, r"shape of tensor 'fc\.weight' is impossible: \[3, -4\]"),
        ({"shape": (1,) * 17}, r"is impossible"),
        ({"shape": (2**40,)}, r"is impossible"),
        ({"num_nonzero": None}, r"masked tensor 'fc\.weight' must state num_nonzero"),
        ({"num_nonzero": 13}, r"must lie in \[0, 12\], got 13"),
        ({"num_nonzero": -1}, r"must lie in \[0, 12\], got -1"),
        ({"num_nonzero": 4}, r"must have the sizes .*'exponents': 4.*, got .*'exponents': 5"),
        ({"chunks": {}}, r"must have the sizes .*, got \{\}"),
        (
            {"encoding": "raw", "chunks": {"data": Chunk(codec="lzma", size_bytes=48)}},
            r"codec of tensor 'fc\.weight' must be none or zstd, got 'lzma'",
        ),
    ],
)
def test_refuses_claims_that_cannot_be_true(changes, message):
    with pytest.raises(PackedFormatError, match=message):
        check_layout((tensor_of(**changes),))


def test_refuses_a_name_that_occurs_twice():
    with pytest.raises(PackedFormatError, match=r"tensor 'fc\.weight' is listed twice"):
        check_layout((tensor_of(), tensor_of()))


def test_refuses_more_entries_than_memory_should_hold():
    chunks = {"data": Chunk(codec="zstd", size_bytes=2**31)}
    big = tensor_of(shape=(2**31,), dtype="uint8", encoding="raw", num_nonzero=None, chunks=chunks)
    with pytest.raises(PackedFormatError, match=r"may hold 2147483648 entries, got 4294967296"):
        check_layout((big, big.model_copy(update={"name": "other"})))
