import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mixmatch.errors import PackedFormatError
from mixmatch.packed.values import (
    VALUE_DTYPES,
    VALUE_PARTS,
    decode_values,
    encode_values,
    sizes_of_values,
)

# Every bit pattern: NaN with any payload, infinities, signed zeros, subnormal numbers.
BITS = {"float32": "<u4", "bfloat16": "<u2", "float16": "<u2", "int8": "|u1"}


@given(kind=st.sampled_from(list(VALUE_PARTS)), data=st.data())
@settings(deadline=None)
def test_every_bit_pattern_comes_back(kind, data):
    bits = data.draw(arrays(BITS[kind], st.integers(0, 40)))
    values = bits.view(VALUE_DTYPES[kind])

    joined = decode_values(kind, encode_values(values, kind), values.size)

    assert joined.dtype == np.dtype(VALUE_DTYPES[kind])
    assert joined.view(BITS[kind]).tolist() == bits.tolist()


@pytest.mark.parametrize("kind", VALUE_PARTS)
def test_a_slice_of_the_values_can_be_joined_alone(kind):
    values = np.arange(256 * 8, dtype=np.uint8).view(VALUE_DTYPES[kind])

    joined = decode_values(kind, encode_values(values, kind), values.size, slice(100, 130))

    assert joined.tobytes() == values[100:130].tobytes()


@pytest.mark.parametrize(
    ("bits", "exponents", "mantissas"),
    [
        ([0x3F800000], [127], [0x00, 0, 0]),  # 1.0
        ([0xBFC00001], [127], [0xC0, 0, 1]),  # -1.5000001
        ([0x00000000, 0x80000000], [0, 0], [0, 0x80, 0, 0, 0, 0]),  # 0.0, -0.0
        ([0x7FC0BEEF], [255], [0x40, 0xBE, 0xEF]),  # a NaN
    ],
)
def test_float32_becomes_exponents_and_planes_of_the_rest(bits, exponents, mantissas):
    parts = encode_values(np.array(bits, "<u4").view("<f4"), "float32")
    assert parts == {"exponents": bytes(exponents), "mantissas": bytes(mantissas)}


def test_bfloat16_becomes_exponents_and_the_rest():
    parts = encode_values(np.array([0xBF81], np.uint16), "bfloat16")
    assert parts == {"exponents": bytes([127]), "mantissas": bytes([0x81])}


def test_float16_becomes_high_and_low_bytes():
    parts = encode_values(np.array([0x1234, 0xABCD], "<u2").view("<f2"), "float16")
    assert parts == {"high": bytes([0x12, 0xAB]), "low": bytes([0x34, 0xCD])}


def test_int8_stays_as_it_is():
    assert encode_values(np.array([1, -1, -127], np.int8), "int8") == {"codes": b"\x01\xff\x81"}


def test_values_of_a_strided_array_are_split_in_their_order():
    values = np.arange(6, dtype="<f4")[::2]
    joined = decode_values("float32", encode_values(values, "float32"), 3)
    assert joined.tolist() == [0.0, 2.0, 4.0]


def test_joined_values_may_be_changed():
    joined = decode_values("int8", {"codes": b"\x01"}, 1)
    joined[0] = 2
    assert joined.tolist() == [2]


def test_sizes_follow_from_the_count():
    assert sizes_of_values("float32", 5) == {"exponents": 5, "mantissas": 15}


@pytest.mark.parametrize(
    ("kind", "parts", "message"),
    [
        ("float64", {}, "kind of values must be one of float32, .* got 'float64'; a newer"),
        ("int8", {"codes": b"ab"}, r"3 values of kind int8 must .* \{'codes': 3\} bytes, got"),
        ("int8", {"signs": b"abc"}, r"\{'codes': 3\} bytes, got \{'signs': 3\}"),
        ("float16", {"high": b"abc"}, r"got \{'high': 3\}"),
    ],
)
def test_parts_of_another_kind_or_length_are_refused(kind, parts, message):
    with pytest.raises(PackedFormatError, match=message):
        decode_values(kind, parts, 3)
