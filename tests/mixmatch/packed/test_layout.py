"""Records of the layout, and the rules that they must hold."""

import math

import pytest

from mixmatch.errors import PackedFormatError
from mixmatch.packed.header import packed_layout
from mixmatch.packed.layout import Layout, PackedGroup, PackedTensor, Part
from mixmatch.packed.rules import check_layout


def part(name, size, stored=None, codec="none"):
    return Part(name=name, codec=codec, size_bytes=size, stored_bytes=stored or size)


FLOATS = (part("exponents", 5), part("mantissas", 15))


def tensor_of(**changes):
    fields = {
        "name": "fc.weight",
        "shape": (3, 4),
        "dtype": "float32",
        "positions": "bits",
        "values": "float32",
        "num_nonzero": 5,
        "parts": (part("bits", 2), *FLOATS),
    }
    return PackedTensor(**{**fields, **changes})


def check(*tensors, groups=(), values="float32", file_bytes=1_000):
    check_layout(Layout(tensors=tensors, groups=groups), values, file_bytes)


SOUND = [
    tensor_of(),
    tensor_of(num_nonzero=4, num_kept=5),
    tensor_of(positions="kept_gaps", parts=(part("gaps", 5), *FLOATS)),
    tensor_of(positions="nothing", num_nonzero=0, parts=()),
    tensor_of(shape=(5,), positions="all", num_nonzero=3, parts=FLOATS),
    tensor_of(shape=(5,), positions="all", num_nonzero=None, parts=FLOATS),
    tensor_of(
        shape=(), dtype="int64", positions="all", values="raw", parts=(part("data", 8),)
    ).model_copy(update={"num_nonzero": None}),
    tensor_of(dtype="float16", values="raw", parts=(part("bits", 2), part("data", 10))),
    tensor_of(shape=(0, 7), positions="nothing", num_nonzero=0, parts=()),
]


@pytest.mark.parametrize("tensor", SOUND)
def test_a_sound_tensor_passes(tensor):
    check(tensor, tensor.model_copy(update={"name": "other"}))


def test_int8_weights_have_a_scale_per_channel():
    parts = (part("bits", 2), part("scales", 12), part("codes", 5))
    check(tensor_of(values="int8", parts=parts), values="int8")
    with pytest.raises(
        PackedFormatError, match=r"scales of tensor 'fc\.weight' must have 12 bytes"
    ):
        check(
            tensor_of(values="int8", parts=(parts[0], part("scales", 4), parts[2])), values="int8"
        )


def test_counts_follow_from_the_claims():
    assert [tensor.num_stored for tensor in SOUND[:5]] == [5, 5, 5, 0, 5]
    assert (tensor_of().num_entries, tensor_of().num_channels) == (12, 3)
    assert (tensor_of(shape=()).num_entries, tensor_of(shape=()).num_channels) == (1, 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dtype": "float4"}, r"dtype of tensor 'fc\.weight' must be one of float32.*got 'float4'"),
        ({"positions": "runs"}, r"must be one of bits, kept_gaps.*, got 'runs'; a newer mixmatch"),
        ({"values": "int4"}, r"values of tensor 'fc\.weight' must be one of float32, got 'int4'"),
        ({"values": "raw"}, r"values of tensor 'fc\.weight' must be one of float32, got 'raw'"),
        ({"dtype": "int8"}, r"values of tensor 'fc\.weight' must be one of raw, got 'float32'"),
        ({"shape": (3, -4)}, r"shape of tensor 'fc\.weight' is impossible: \[3, -4\]"),
        ({"shape": (1,) * 17}, r"is impossible"),
        ({"shape": (2**40,)}, r"is impossible"),
        ({"shape": (2**31,) * 16}, r"its tensors may have 67108864 entries in a file of 1000 byt"),
        ({"num_nonzero": None}, r"tensor 'fc\.weight' must state num_nonzero where some of its"),
        ({"num_nonzero": 13}, r"must rise within \[0, 12\], got 13 and 13"),
        ({"num_nonzero": -1}, r"must rise within \[0, 12\], got -1 and -1"),
        ({"num_nonzero": 6, "num_kept": 5}, r"must rise within \[0, 12\], got 6 and 5"),
        ({"num_kept": 2**60}, r"must rise within \[0, 12\], got 5 and 1152921504606846976"),
        ({"positions": "nothing"}, r"must rise within \[0, 12\], got 5 and 0"),
        ({"positions": "all", "num_kept": 5}, r"and num_kept only there"),
        ({"positions": "all"}, r"parts of .* must be \['exponents', 'mantissas'\], got \['bits'"),
        ({"num_nonzero": 4}, r"exponents of tensor 'fc\.weight' must have 4 bytes, got 5"),
        ({"parts": ()}, r"parts of tensor 'fc\.weight' must be \['bits', .*\], got \[\]"),
        (
            {"parts": (*FLOATS, part("bits", 2))},
            r"must be \['bits', 'exponents', 'mantissas'\], got \['exponents'",
        ),
        (
            {"parts": (part("bits", 3), *FLOATS)},
            r"bits of tensor 'fc\.weight' must have at most 2 bytes, got 3",
        ),
        (
            {"parts": (part("bits", 2, codec="lzma"), *FLOATS)},
            r"codec of bits of tensor 'fc\.weight' must be one of none, zstd.*, got 'lzma'",
        ),
        (
            {"parts": (part("bits", 2, 1), *FLOATS)},
            r"bits of tensor 'fc\.weight' cannot be 2 bytes: 1 are stored with codec none",
        ),
        (
            {"parts": (part("bits", 2, -1, "zstd"), *FLOATS)},
            r"cannot be 2 bytes: -1 are stored with codec zstd",
        ),
        ({"values": None}, r"in the group of its dtype, so it must have neither parts nor counts"),
    ],
)
def test_refuses_claims_that_cannot_be_true(changes, message):
    with pytest.raises(PackedFormatError, match=message):
        check(tensor_of(**changes))


def grouped(**changes):
    fields = {"name": "bn.bias", "shape": (3,), "dtype": "float32"}
    return PackedTensor(**{**fields, **changes})


def group_of(**changes):
    fields = {"dtype": "float32", "values": "raw", "parts": (part("data", 12),)}
    return PackedGroup(**{**fields, **changes})


def test_small_tensors_are_joined_in_the_group_of_their_dtype():
    group = group_of(values="float32", parts=(part("exponents", 4), part("mantissas", 12)))
    members = (grouped(), grouped(name="fc.bias", shape=()))
    check(members[0], tensor_of(), members[1], groups=(group,))
    layout = Layout(tensors=(members[0], tensor_of(), members[1]), groups=(group,))
    assert layout.members(group) == members


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ((), r"its groups must be \['float32'\], got \[\]"),
        ((group_of(), group_of()), r"its groups must be \['float32'\], got \['float32', 'float"),
        ((group_of(dtype="int64"),), r"its groups must be \['float32'\], got \['int64'\]"),
        ((group_of(values="int8"),), r"values of the group of float32 must be one of float32, raw"),
        ((group_of(parts=(part("data", 16),)),), r"group of float32 must have 12 bytes, got 16"),
    ],
)
def test_refuses_groups_that_do_not_fit_their_tensors(groups, message):
    with pytest.raises(PackedFormatError, match=message):
        check(grouped(), groups=groups)


def test_refuses_a_name_that_occurs_twice():
    with pytest.raises(PackedFormatError, match=r"tensor 'fc\.weight' is listed twice"):
        check(tensor_of(), tensor_of())


def test_refuses_more_entries_than_memory_should_hold():
    big = tensor_of(shape=(2**31,), positions="nothing", num_nonzero=0, parts=())
    with pytest.raises(PackedFormatError, match=r"may have 2147483648 entries .*got 4294967296"):
        check(big, big.model_copy(update={"name": "other"}), file_bytes=2**30)


def test_a_small_file_may_not_claim_gigabytes():
    big = tensor_of(shape=(2**31 - 1,), positions="nothing", num_nonzero=0, parts=())
    with pytest.raises(PackedFormatError, match=r"67108864 entries in a file of 1000 bytes"):
        check(big)


def test_the_layout_of_a_large_network_takes_a_few_kilobytes():
    tensors = []
    for block in range(48):
        shape = (768, 3072)
        tensors += [
            tensor_of(
                name=f"blocks.{block}.mlp.fc1.weight",
                shape=shape,
                num_nonzero=math.prod(shape) // 10 + block,
                parts=(part("bits", 294_912), *FLOATS),
            ),
            *(
                grouped(name=f"blocks.{block}.{name}", shape=(3072,))
                for name in ("mlp.fc1.bias", "norm1.weight", "norm1.bias", "norm2.weight")
            ),
        ]
    assert len(packed_layout(Layout(tensors=tuple(tensors)))) < 3_000
